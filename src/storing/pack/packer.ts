/**
 * pack — drops the blocks that a shard has already, and fills the open shard with the others.
 * In: batches of CAR sections, in walk order. Out: packed shards, each one CAR in the spool.
 * Holds: digests and manifest of the open shard, digests of the shards that are not placed yet, and at most two batches being written.
 *
 * Blocks come as CAR sections, so the new blocks of a batch are usually one contiguous part of it, which is written without a copy.
 */
import type { DigestMap } from '../../core/digest-map.ts';
import type { PendingWriter } from '../../index/pending/writer.ts';
import type { BlockBatch } from '../../shard/batch.ts';
import { SectionCursor } from '../../shard/car.ts';
import { GatherMemory, OpenShard, type PackedShard } from './open-shard.ts';

/**
 * A shard is sealed at this many blocks even when it is not full: at the default size of a shard, these are 2 KiB each on average. The
 * digests and the manifest of the open shard are in memory, and the digests of up to three on their way: with four times as many blocks, a
 * million tiny files took 283 MB at the peak.
 */
const MAX_BLOCKS = 1 << 16;

/** About as many bytes as a CAR has for a block besides the block itself: its section's header, and its link in the manifest. */
const FRAMING_BYTES = 88;

export interface PackOptions {
  /** A shard is sealed before its blocks would be more bytes than this. */
  readonly shardBytes: number;
  readonly spool: string;
  /** Gives the number for the next shard, higher than those before. */
  readonly takeNumber: () => Promise<number>;
  /** The shard in the index that has the block whose digest stands at `at`. */
  readonly shardOf: (digest: Uint8Array, at: number) => number | undefined;
  /** The most bytes for which a shard finds peers with room now. @throws ShardctlError when that is less than `bytes` */
  readonly roomFor?: (bytes: number) => number;
  /** Notes the files whose blocks are packed, and the shards that have these: before each shard is sealed, and at the end of each batch. */
  readonly pending?: Pick<PendingWriter, 'add' | 'meets' | 'sealed' | 'cover'> | undefined;
}

export class Packer {
  readonly #options: PackOptions;
  /** Digests of the sealed shards that are not in the index yet, by number. */
  readonly #unplaced = new Map<number, DigestMap>();
  readonly #reused = new Set<number>();
  readonly #memory = new GatherMemory();
  #open: OpenShard | undefined;
  /** Blocks of the shard that was sealed last: the next one will have about as many. */
  #lastBlocks = 0;
  /** So many bytes the peers have room for; asked again when the open shard would be larger. */
  #room = 0;
  /** Numbers of the shards that this run sealed. */
  readonly sealed: number[] = [];
  newBlocks = 0;
  newBytes = 0;

  constructor(options: PackOptions) {
    this.#options = options;
  }

  /** Shards of which blocks came again: placed before, or sealed in this run. */
  get reusedShards(): ReadonlySet<number> {
    return this.#reused;
  }

  /** Packs a batch, and yields each shard that it fills. The batch is released when its bytes are not needed any more. */
  async *add(step: BlockBatch): AsyncGenerator<PackedShard, void> {
    const { batch, release } = step;
    const cursor = new SectionCursor(batch);
    const writes: Promise<void>[] = [];
    let newFrom = 0;
    while (cursor.next()) {
      const length = cursor.end - cursor.dataAt;
      if (this.#isKnown(batch, cursor.digestAt)) {
        this.#write(batch, newFrom, cursor.start, writes);
        newFrom = cursor.end;
        continue;
      }
      if (this.#open !== undefined && this.#isFull(this.#open, length)) {
        this.#write(batch, newFrom, cursor.start, writes);
        newFrom = cursor.start;
        this.#note(step, cursor.start);
        yield await this.#seal(this.#open);
      }
      if (this.#open === undefined) {
        this.#room = 0;
        this.#assertRoom(length, 1);
        this.#open = new OpenShard(this.#options.spool, await this.#options.takeNumber(), {
          blocks: this.#lastBlocks,
          memory: this.#memory,
        });
      } else {
        this.#assertRoom(this.#open.bytes + length, this.#open.blocks + 1);
      }
      this.#open.note(batch, cursor.digestAt, length);
    }
    this.#write(batch, newFrom, cursor.end, writes);
    if (writes.length === 0) release();
    else void Promise.all(writes).then(release, release);
    this.#note(step, batch.length);
    await this.#open?.writable();
  }

  /** Seals the open shard, if there is one. */
  async seal(): Promise<PackedShard | undefined> {
    return this.#open === undefined ? undefined : await this.#seal(this.#open);
  }

  /** The shard is in the index, which finds its blocks from now on. */
  placed(number: number): void {
    this.#unplaced.delete(number);
  }

  /** The run fails: removes the open shard. */
  async abandon(): Promise<void> {
    await this.#open?.abandon();
  }

  async #seal(open: OpenShard): Promise<PackedShard> {
    this.#open = undefined;
    this.#unplaced.set(open.number, open.digests);
    this.newBlocks += open.blocks;
    this.#lastBlocks = open.blocks;
    this.newBytes += open.bytes;
    this.sealed.push(open.number);
    const shard = await open.seal();
    this.#options.pending?.sealed(shard.number, shard.cid);
    return shard;
  }

  #note({ finished }: BlockBatch, bytes: number): void {
    const { pending } = this.#options;
    if (finished !== undefined) pending?.add(finished, bytes);
    // Without an open shard, all blocks so far are in shards that are sealed or were met.
    if (this.#open === undefined) pending?.cover();
  }

  /** Asks whether peers can take a shard of this size before more of the source is read: a run for which there is no room fails at once. */
  #assertRoom(bytes: number, blocks: number): void {
    const carBytes = bytes + blocks * FRAMING_BYTES;
    if (carBytes > this.#room) this.#room = this.#options.roomFor?.(carBytes) ?? Number.POSITIVE_INFINITY;
  }

  #isFull(open: OpenShard, length: number): boolean {
    return open.bytes + length > this.#options.shardBytes || open.blocks === MAX_BLOCKS;
  }

  #isKnown(batch: Buffer, at: number): boolean {
    if (this.#open?.digests.get(batch, at) !== undefined) return true;
    const shard = this.#unplacedWith(batch, at) ?? this.#options.shardOf(batch, at);
    if (shard === undefined) return false;
    this.#reused.add(shard);
    this.#options.pending?.meets(shard);
    return true;
  }

  #unplacedWith(batch: Buffer, at: number): number | undefined {
    for (const [number, digests] of this.#unplaced) if (digests.get(batch, at) !== undefined) return number;
    return undefined;
  }

  #write(batch: Buffer, from: number, to: number, writes: Promise<void>[]): void {
    const writing = to > from ? this.#open?.write(batch.subarray(from, to)) : undefined;
    if (writing !== undefined) writes.push(writing);
  }
}
