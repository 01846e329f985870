/**
 * Cuts the wanted blocks out of the bytes of one stretch of a shard, as they come in, and hashes each before anybody sees it. What comes goes
 * into buffers that are used over and over.
 */
import { DIGEST_BYTES } from '../core/model.ts';
import { hasDigest } from '../dag/cid.ts';
import { MAX_BLOCK_BYTES } from '../shard/car.ts';
import type { ShardJob } from './shard-job.ts';

/** The longest stretch of bytes between two wanted blocks that is read over. */
export const MOST_GAP_BYTES = 1024 * 1024;
/** What is read at once: it stays in the processor's cache until it is hashed and written. A leaf of 1 MiB, with what is around it, comes whole. */
const READ_BYTES = 1024 * 1024 + 256;
/** A block, the bytes before it that nobody wants, and one read. */
const BUFFER_BYTES = MAX_BLOCK_BYTES + MOST_GAP_BYTES + READ_BYTES;

/**
 * Two buffers, one of which is filled. The block that was given last stays where it is until the next one has been taken, however many
 * streams break off in between: as long as it lies in the one, only the other is filled.
 */
export class ReadBuffers {
  current = Buffer.allocUnsafeSlow(BUFFER_BYTES);
  #other = Buffer.allocUnsafeSlow(BUFFER_BYTES);
  #holdsLast = false;

  /** A block in `current` is given. */
  gives(): void {
    this.#holdsLast = true;
  }

  /** From now on `current` may be written over from its beginning. */
  turn(): void {
    if (this.#holdsLast) [this.current, this.#other] = [this.#other, this.current];
    this.#holdsLast = false;
  }
}

/** Blocks of a job that lie so near to one another that they are read in one go. */
export interface Stretch {
  /** Indexes in the job: of the first block, and the one after the last. */
  readonly first: number;
  readonly end: number;
  /** Where each block of the job begins in the stream. */
  readonly offsets: Float64Array;
}

/** Of a job: the blocks that are wanted. */
type Blocks = Pick<ShardJob, 'lengths' | 'digests'>;

/** @param block its index in the job @param bytes hashed; valid until the next call has returned */
export type TakeBlock = (block: number, bytes: Buffer) => void;

export class RunCursor {
  /** The next block; those before it were given out, or passed over. */
  next: number;
  /** Blocks that did not have their hashes. */
  bad = 0;
  /** The first of them. */
  firstBad = 0;
  readonly #job: Blocks;
  readonly #digests: Buffer;
  readonly #stretch: Stretch;
  readonly #buffers: ReadBuffers;
  readonly #isWanted: (block: number) => boolean;
  readonly #take: TakeBlock;
  /** Offset in the stream of the first byte in the buffer, and how many bytes are in it. */
  #base = 0;
  #have = 0;

  /** @param isWanted whether a block is still to be given out */
  constructor(job: Blocks, stretch: Stretch, buffers: ReadBuffers, isWanted: (block: number) => boolean, take: TakeBlock) {
    this.#job = job;
    this.#digests = Buffer.from(job.digests.buffer, job.digests.byteOffset, job.digests.length);
    this.#stretch = stretch;
    this.#buffers = buffers;
    this.#isWanted = isWanted;
    this.#take = take;
    this.next = stretch.first;
  }

  get isDone(): boolean {
    return this.next === this.#stretch.end;
  }

  /** The bytes of the stream come from the next block on. @returns where that begins */
  begin(): number {
    this.#buffers.turn();
    this.#base = this.#startOf(this.next);
    this.#have = 0;
    return this.#base;
  }

  /** Where the next bytes go: `most` of them at `at` in the current buffer. */
  get room(): { readonly buffer: Buffer; readonly at: number; readonly most: number } {
    const buffer = this.#buffers.current;
    return { buffer, at: this.#have, most: Math.min(buffer.length - this.#have, READ_BYTES) };
  }

  /** Of the next `most` bytes, those up to the end of the last block that is whole with them; all, where none is. */
  upToBlockEnd(most: number): number {
    const from = this.#base + this.#have;
    let to = from;
    for (let block = this.next; block < this.#stretch.end; block++) {
      const end = this.#endOf(block);
      if (end > from + most) break;
      to = end;
    }
    return to > from ? to - from : most;
  }

  /** So many bytes were put there. @throws what `take` throws */
  advance(bytes: number): void {
    this.#have += bytes;
    while (this.next < this.#stretch.end) {
      const start = this.#startOf(this.next);
      const end = this.#endOf(this.next);
      if (end > this.#base + this.#have) break;
      this.#give(this.next++, this.#buffers.current.subarray(start - this.#base, end - this.#base));
    }
    if (this.isDone) return;
    // Where nothing is to be kept, to begin at a buffer's beginning costs nothing, and its first bytes are still in the cache.
    const isClear = this.next > this.#stretch.first && this.#endOf(this.next - 1) === this.#base + this.#have;
    if (isClear || this.#have > BUFFER_BYTES - READ_BYTES) this.#makeRoom();
  }

  /** Where `push` wants the next piece: what lies there already is not copied. Up to the end of a block, after which the buffer begins anew. */
  roomForPiece(most: number): Buffer {
    const { buffer, at, most: left } = this.room;
    return buffer.subarray(at, at + this.upToBlockEnd(Math.min(left, most)));
  }

  /** @returns whether more is wanted */
  push(piece: Buffer): boolean {
    for (let from = 0; from < piece.length && !this.isDone; ) {
      const { buffer, at, most } = this.room;
      const isThere = from === 0 && piece.buffer === buffer.buffer && piece.byteOffset === buffer.byteOffset + at;
      const bytes = isThere ? piece.length : piece.copy(buffer, at, from, from + most);
      from += bytes;
      this.advance(bytes);
    }
    return !this.isDone;
  }

  #give(block: number, bytes: Buffer): void {
    if (!this.#isWanted(block)) return;
    if (hasDigest(bytes, this.#digests, block * DIGEST_BYTES)) {
      this.#buffers.gives();
      this.#take(block, bytes);
    } else if (this.bad++ === 0) this.firstBad = block;
  }

  /** Takes what is there of the next block to the beginning of a buffer. */
  #makeRoom(): void {
    const full = this.#buffers.current;
    const keep = Math.min(this.#startOf(this.next), this.#base + this.#have);
    this.#buffers.turn();
    // Perhaps within one buffer: `copy` minds that.
    full.copy(this.#buffers.current, 0, keep - this.#base, this.#have);
    this.#have -= keep - this.#base;
    this.#base = keep;
  }

  #endOf(block: number): number {
    return this.#startOf(block) + (this.#job.lengths[block] as number);
  }

  #startOf(block: number): number {
    return this.#stretch.offsets[block] as number;
  }
}
