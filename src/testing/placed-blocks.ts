/** For tests: blocks in memory, of which some also lie in a file, as in a CAR. */
import { closeSync, openSync, readSync, writeSync } from 'node:fs';
import type { FileBlocks } from '../read/files/file-leaves.ts';
import type { Extent, OpenFile } from '../read/stored/stored-blocks.ts';
import { hashesEach } from './hashes-each.ts';
import { MemoryBlocks } from './memory-blocks.ts';

export class PlacedBlocks implements FileBlocks {
  readonly memory = new MemoryBlocks();
  readonly #extents = new Map<string, Extent>();
  readonly #fd: number;
  /** Digests of the blocks that `read` was asked for. */
  readonly asked: string[] = [];
  /** How often the file is held. */
  holders = 0;
  #end = 0;
  /** Places in the file that are not hashed again. */
  readonly #known = new Set<string>();
  /** How often it is asked until the file is not in memory, once. */
  readonly #misses: number;
  #asks = 0;
  /** Leaves that were hashed. */
  hashed = 0;
  readonly #file: OpenFile;

  /** @param path of the file @param misses one of so many windows is not in memory; 0: none is, and what was hashed is hashed again */
  constructor(path: string, misses = 0) {
    this.#fd = openSync(path, 'w+');
    this.#misses = misses;
    this.#file = {
      fd: this.#fd,
      hold: () => void this.holders++,
      release: () => void this.holders--,
      isKnown: (at: number, digest: Uint8Array) => this.#known.has(`${at} ${hex(digest)}`),
      isIntact: (at: number, bytes: Uint8Array, digest: Uint8Array) => {
        if (this.#file.isKnown(at, digest)) return true;
        this.hashed++;
        const isIntact = hashesEach.isIntact(at, bytes, digest);
        if (isIntact && this.#misses > 0) this.#known.add(`${at} ${hex(digest)}`);
        return isIntact;
      },
      fromMemory: (into: Uint8Array, at: number) => {
        if (this.#misses > 0 && ++this.#asks % this.#misses !== 0) return readSync(this.#fd, into, 0, into.length, at) === into.length;
        this.#known.clear();
        // What a part of a window has that cannot be read as a whole.
        into.fill(255);
        return false;
      },
    } as unknown as OpenFile;
  }

  /** @param gap bytes before it @param isBad in the file it is another */
  put(block: Uint8Array, gap?: number, isBad = false): Uint8Array {
    const digest = this.memory.put(block);
    if (gap === undefined || this.#extents.has(hex(digest))) return digest;
    const at = this.#end + gap;
    const bytes = Buffer.from(block);
    if (isBad && bytes.length > 0) bytes.writeUInt8(bytes.readUInt8(0) ^ 1, 0);
    writeSync(this.#fd, bytes, 0, bytes.length, at);
    this.#end = at + bytes.length;
    this.#extents.set(hex(digest), { file: this.#file, at, length: bytes.length });
    return digest;
  }

  /** From here on the file is cut. */
  cut(): void {
    const key = [...this.#extents.keys()].at(-1);
    const last = key === undefined ? undefined : this.#extents.get(key);
    if (key !== undefined && last !== undefined) this.#extents.set(key, { ...last, at: last.at + 1000 });
  }

  async read(digest: Uint8Array): Promise<Uint8Array> {
    this.asked.push(hex(digest));
    return await this.memory.read(digest);
  }

  async sizeOf(digest: Uint8Array): Promise<number> {
    return (await this.memory.read(digest)).length;
  }

  extentNow(digest: Uint8Array): Extent | undefined {
    return digest[0] !== undefined && digest[0] < 128 ? this.#extents.get(hex(digest)) : undefined;
  }

  async extentOf(digest: Uint8Array): Promise<Extent | undefined> {
    return this.#extents.get(hex(digest));
  }

  close(): void {
    closeSync(this.#fd);
  }
}

function hex(digest: Uint8Array): string {
  return Buffer.from(digest).toString('hex');
}
