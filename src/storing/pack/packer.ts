/**
 * pack — drops blocks that a shard already holds and fills the open shard with the others.
 * In: batches of CAR sections, in walk order. Out: sealed shards, each one CAR in the spool.
 * Holds: digests and manifest of the open shard and of those not yet placed, and at most two batches being written.
 *
 * Blocks come as sections already, so what is new in a batch is usually one contiguous piece of it: one write, no copy.
 */
import type { DigestMap } from '../../core/digest-map.ts';
import type { BlockBatch } from '../../shard/batch.ts';
import { SectionCursor } from '../../shard/car.ts';
import { OpenShard, type SpooledShard } from './open-shard.ts';

/**
 * A shard is sealed at this many blocks even when it is not full: 2 KiB a block on average at the default size. The digests
 * and the manifest of the open shard are in memory, and those of up to three on their way: with four times as many blocks,
 * a million tiny files took 283 MB at the peak.
 */
const MAX_BLOCKS = 1 << 16;

/** About what a CAR takes for a block besides its bytes: its section's header, and its link in the manifest. */
const FRAMING_BYTES = 88;

export interface PackOptions {
  /** A shard is sealed before its blocks would be more bytes than this. */
  readonly shardBytes: number;
  readonly spool: string;
  readonly firstNumber: number;
  /** The shard that holds a block already, by the digest at `at`. */
  readonly shardOf: (digest: Uint8Array, at: number) => number | undefined;
  /** Told how many of a batch's bytes are packed, before each shard is sealed and when all of them are. */
  readonly onPacked?: (step: BlockBatch, bytes: number) => void;
  /** Told of each block that another shard than the open one has already: which. */
  readonly onMet?: (shard: number) => void;
  /** The most bytes that the open shard may have to find its peers. @throws ShardctlError when that is less than `bytes` */
  readonly roomFor?: (bytes: number) => number;
  /** Takes a sealed shard; resolves when the next one may be begun. */
  readonly onSealed: (shard: SpooledShard) => Promise<void>;
}

export class Packer {
  readonly #options: PackOptions;
  /** Digests of the shards that are sealed and that the index does not know yet. */
  readonly #unplaced = new Map<number, DigestMap>();
  readonly #reused = new Set<number>();
  #open: OpenShard | undefined;
  #nextNumber: number;
  /** What there is room for; asked for again when the open shard would be more. */
  #room = 0;
  /** Numbers of the shards that this run sealed. */
  readonly sealed: number[] = [];
  newBlocks = 0;
  newBytes = 0;

  constructor(options: PackOptions) {
    this.#options = options;
    this.#nextNumber = options.firstNumber;
  }

  /** Shards that hold blocks which came again: sealed before, or in this run. */
  get reusedShards(): ReadonlySet<number> {
    return this.#reused;
  }

  /** Whether a shard is being filled: what was packed since the last was sealed depends on it. */
  get isOpen(): boolean {
    return this.#open !== undefined;
  }

  /** Packs a batch; resolves when the next may come. It is released when its bytes are not needed any more. */
  async add(step: BlockBatch): Promise<void> {
    const { batch, release } = step;
    const cursor = new SectionCursor(batch);
    const writes: Promise<void>[] = [];
    let pieceStart = 0;
    while (cursor.next()) {
      const length = cursor.end - cursor.dataAt;
      if (this.#isKnown(batch, cursor.digestAt)) {
        this.#write(batch, pieceStart, cursor.start, writes);
        pieceStart = cursor.end;
        continue;
      }
      if (this.#open !== undefined && this.#isFull(this.#open, length)) {
        this.#write(batch, pieceStart, cursor.start, writes);
        pieceStart = cursor.start;
        this.#options.onPacked?.(step, cursor.start);
        await this.seal();
      }
      if (this.#open === undefined) {
        this.#room = 0;
        this.#assertRoom(length, 1);
        this.#open = new OpenShard(this.#options.spool, this.#nextNumber++);
      } else {
        this.#assertRoom(this.#open.bytes + length, this.#open.blocks + 1);
      }
      this.#open.note(batch, cursor.digestAt, length);
    }
    this.#write(batch, pieceStart, cursor.end, writes);
    if (writes.length === 0) release();
    else void Promise.all(writes).then(release, release);
    this.#options.onPacked?.(step, batch.length);
    await this.#open?.writable();
  }

  /** Seals the open shard, if there is one. */
  async seal(): Promise<void> {
    const open = this.#open;
    if (open === undefined) return;
    this.#open = undefined;
    this.#unplaced.set(open.number, open.digests);
    this.newBlocks += open.blocks;
    this.newBytes += open.bytes;
    this.sealed.push(open.number);
    await this.#options.onSealed(await open.seal());
  }

  /** The index knows the shard's blocks now. */
  placed(number: number): void {
    this.#unplaced.delete(number);
  }

  async abandon(): Promise<void> {
    await this.#open?.abandon();
  }

  /** What fits nowhere is not read to its end, and packed, before somebody says so. */
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
    this.#options.onMet?.(shard);
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
