/** The shard that is being filled: its CAR in the spool, and the digests of which its manifest is made. */
import { type FileHandle, open } from 'node:fs/promises';
import { join } from 'node:path';
import { DigestMap } from '../../core/digest-map.ts';
import { makeDirectories } from '../../core/durable-files.ts';
import { ioError } from '../../core/errors.ts';
import { type BlockId, DAG_PB } from '../../core/model.ts';
import { removeFileSync } from '../../core/remove-file.ts';
import { cidText } from '../../dag/cid.ts';
import type { SealedShard } from '../../peer/peer.ts';
import { CAR_HEADER_BYTES, carHeader, sectionHeaderBytes, writeSectionHeader } from '../../shard/car.ts';
import { ManifestBuilder } from '../../shard/manifest.ts';

/** A sealed shard in the spool, and what the index records of it. With a label it is the `SealedShard` that a peer is given. */
export interface PackedShard extends Omit<SealedShard, 'label'> {
  readonly number: number;
  /** Bytes of its blocks and of its manifest. */
  readonly dagSize: number;
  /** Digests of its blocks, in shard order. */
  readonly digests: DigestMap;
}

/** Writes under way at once: the one that the disk works on, and the next. */
const MAX_WRITES = 2;

/**
 * A part of a batch that is smaller is copied, and written together with those after it. When a million files are touched, their new
 * blocks come in a million parts of 200 bytes, and waking a thread for a write costs more than copying this much.
 */
const SMALL_BYTES = 512 * 1024;
const GATHERED_BYTES = 1024 * 1024;

/**
 * Memory in which small parts are gathered: used again when it is written, by the next shard, too. Made anew each time it was a third of what
 * an add of a million tiny files left to the garbage collector, which lets 64 MB of it come together.
 */
export class GatherMemory {
  readonly #free: Buffer[] = [];

  take(): Buffer {
    return this.#free.pop() ?? Buffer.allocUnsafeSlow(GATHERED_BYTES);
  }

  /** Nobody reads or writes it any more. */
  giveBack(memory: Buffer): void {
    if (this.#free.length <= MAX_WRITES) this.#free.push(memory);
  }
}

export class OpenShard {
  readonly number: number;
  readonly digests = new DigestMap();
  readonly #path: string;
  readonly #memory: GatherMemory;
  readonly #manifest = new ManifestBuilder();
  readonly #handle: Promise<FileHandle>;
  readonly #writes = new Set<Promise<void>>();
  #position = CAR_HEADER_BYTES;
  #gathered: Buffer | undefined;
  #gatheredBytes = 0;
  #failure: unknown;
  bytes = 0;

  /** @param blocks as many as it will have, if that is known: room for their digests is made at once */
  constructor(spool: string, number: number, { blocks = 0, memory = new GatherMemory() }: { blocks?: number; memory?: GatherMemory } = {}) {
    const path = join(spool, `${String(number).padStart(8, '0')}.car`);
    this.number = number;
    this.#path = path;
    this.#memory = memory;
    this.digests.reserve(blocks);
    // The spool is this run's own, and made when it first writes there: most runs that only look write nothing.
    makeDirectories(spool);
    this.#handle = open(path, 'w');
    this.#handle.catch(() => {});
  }

  get blocks(): number {
    return this.digests.size;
  }

  /** Adds a block to the digests and the manifest. Its bytes are written apart, with the part of the batch in which they stand. */
  note(batch: Buffer, digestAt: number, length: number): void {
    this.digests.add(batch, digestAt, length);
    this.#manifest.add(batch, digestAt, length);
    this.bytes += length;
  }

  /**
   * Appends whole sections. A failure is kept, and thrown by `writable` and `seal`.
   * @returns a promise that resolves when the memory is not needed any more; undefined when it is not needed now
   */
  write(sections: Buffer): Promise<void> | undefined {
    if (sections.length < SMALL_BYTES) {
      this.#gather(sections);
      return undefined;
    }
    this.#flush();
    return this.#append(sections);
  }

  /** Resolves when another write may be started. */
  async writable(): Promise<void> {
    while (this.#writes.size >= MAX_WRITES) await Promise.race(this.#writes);
    this.#rethrow();
  }

  /** Appends the manifest, names the root in the header, and closes the file. */
  async seal(): Promise<PackedShard> {
    try {
      return await this.#finish();
    } catch (error) {
      await this.abandon();
      throw error;
    }
  }

  async #finish(): Promise<PackedShard> {
    const { root, dagSize } = this.#writeManifest();
    this.#flush();
    void this.#track(this.#writeAt(carHeader(root), 0));
    await Promise.all(this.#writes);
    this.#rethrow();
    await (await this.#handle).close();
    return {
      number: this.number,
      cid: cidText(root, 1),
      bytes: this.bytes,
      blocks: this.blocks,
      dagSize,
      carPath: this.#path,
      carBytes: this.#position,
      digests: this.digests,
    };
  }

  /** Closes and removes the file. */
  async abandon(): Promise<void> {
    await Promise.all(this.#writes);
    const handle = await this.#handle.catch(() => undefined);
    await handle?.close();
    removeFileSync(this.#path);
  }

  #writeManifest(): { root: BlockId; dagSize: number } {
    let nodeBytes = 0;
    const root = this.#manifest.finish((block, digest) => {
      const header = Buffer.allocUnsafe(sectionHeaderBytes(block.length));
      this.#gather(header.subarray(0, writeSectionHeader(header, 0, DAG_PB, digest, 0, block.length)));
      this.#gather(block);
      nodeBytes += block.length;
    });
    return { root, dagSize: this.bytes + nodeBytes };
  }

  #gather(sections: Buffer): void {
    if (this.#gatheredBytes + sections.length > GATHERED_BYTES) this.#flush();
    this.#gathered ??= this.#memory.take();
    sections.copy(this.#gathered, this.#gatheredBytes);
    this.#gatheredBytes += sections.length;
  }

  #flush(): void {
    const gathered = this.#gathered;
    if (gathered === undefined) return;
    void this.#append(gathered.subarray(0, this.#gatheredBytes)).then(() => this.#memory.giveBack(gathered));
    this.#gathered = undefined;
    this.#gatheredBytes = 0;
  }

  #append(sections: Buffer): Promise<void> {
    const position = this.#position;
    this.#position += sections.length;
    return this.#track(this.#writeAt(sections, position));
  }

  #track(writing: Promise<void>): Promise<void> {
    const write = writing
      .catch((error: unknown) => {
        this.#failure ??= error;
      })
      .finally(() => this.#writes.delete(write));
    this.#writes.add(write);
    return write;
  }

  async #writeAt(bytes: Buffer, position: number): Promise<void> {
    const handle = await this.#handle;
    for (let at = 0; at < bytes.length; ) {
      const { bytesWritten } = await handle.write(bytes, at, bytes.length - at, position + at);
      at += bytesWritten;
    }
  }

  #rethrow(): void {
    if (this.#failure !== undefined) throw ioError(this.#failure, `writing shard ${this.number}`, this.#path);
  }
}
