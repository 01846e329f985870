/**
 * Reads blocks in runs rather than one by one: a shard is a file, and a block's offset in it is the sum of the lengths before it.
 * A tree is read in about the order in which it was packed, so who asks for a block asks for its neighbours next.
 */
import { ShardctlError } from '../../errors.ts';

/** Bytes of a run: some dozens of small files for the price of one answer. */
const RUN_BYTES = 1024 * 1024;
/** How far two reads may be apart, in blocks, and still be neighbours: a file's root comes after its leaves, and is read before them. */
const NEAR = 64;
const RUNS_KEPT = 4;
/** Whoever uses less than a fourth of what was read ahead for him, after so much, reads in another order. */
const TRIAL_BYTES = 8 * RUN_BYTES;
const LEAST_USE = 4;

/** Gives `length` bytes of the shard's file from `offset` on; nothing is hashed. */
export type ReadRange = (offset: number, length: number) => Promise<Buffer> | undefined;

export class ReadAhead {
  readonly #readRange: ReadRange;
  /** Where each block begins, and where the last one ends. */
  readonly #offsets: Float64Array;
  /** The first block of each run, and the number of blocks. Every block is in one run, always the same. */
  readonly #firsts: readonly number[];
  /** By number; undefined what could not be read whole. The most recently used last. */
  readonly #runs = new Map<number, Promise<Buffer | undefined>>();
  #last: number | undefined;
  #isOff = false;
  #readBytes = 0;
  #usedBytes = 0;

  /** @param lengths of the blocks, in shard order */
  constructor(lengths: readonly number[], readRange: ReadRange) {
    this.#readRange = readRange;
    this.#offsets = new Float64Array(lengths.length + 1);
    const firsts = [0];
    for (const [index, length] of lengths.entries()) {
      const end = (this.#offsets[index] as number) + length;
      this.#offsets[index + 1] = end;
      if (end - this.#offset(firsts.at(-1) as number) > RUN_BYTES && firsts.at(-1) !== index) firsts.push(index);
    }
    this.#firsts = [...firsts, lengths.length];
  }

  /** Bytes that should be the block's: to be hashed. Undefined where it does not pay to read a run, or where that failed. */
  async block(index: number): Promise<Buffer | undefined> {
    const isNear = this.#last !== undefined && Math.abs(index - this.#last) <= NEAR;
    this.#last = index;
    const number = this.#runOf(index);
    const run = this.#runs.get(number) ?? (isNear ? this.#read(number) : undefined);
    if (run === undefined) return undefined;
    this.#runs.delete(number);
    this.#runs.set(number, run);
    const [from, to] = [this.#firsts[number] as number, this.#firsts[number + 1] as number];
    if (isNear && index * 2 >= from + to && number + 2 < this.#firsts.length && !this.#runs.has(number + 1)) void this.#read(number + 1);
    const [start, end] = [this.#offset(index), this.#offset(index + 1)];
    const bytes = (await run)?.subarray(start - this.#offset(from), end - this.#offset(from));
    this.#usedBytes += bytes?.length ?? 0;
    return bytes;
  }

  #offset(index: number): number {
    return this.#offsets[index] as number;
  }

  #runOf(index: number): number {
    let [low, high] = [0, this.#firsts.length - 2];
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if ((this.#firsts[middle] as number) <= index) low = middle;
      else high = middle - 1;
    }
    return low;
  }

  #read(number: number): Promise<Buffer | undefined> | undefined {
    if (this.#readBytes > TRIAL_BYTES && this.#usedBytes * LEAST_USE < this.#readBytes) this.#isOff = true;
    if (this.#isOff) return undefined;
    const start = this.#offset(this.#firsts[number] as number);
    const length = this.#offset(this.#firsts[number + 1] as number) - start;
    this.#readBytes += length;
    const run = this.#range(start, length);
    this.#runs.set(number, run);
    for (const oldest of this.#runs.keys()) {
      if (this.#runs.size <= RUNS_KEPT) break;
      this.#runs.delete(oldest);
    }
    return run;
  }

  async #range(offset: number, length: number): Promise<Buffer | undefined> {
    if (length === 0) return Buffer.alloc(0);
    try {
      const bytes = await this.#readRange(offset, length);
      if (bytes?.length === length) return bytes;
    } catch (error) {
      if (!(error instanceof ShardctlError)) throw error;
    }
    // Not asked again: it may take its time over failing.
    this.#isOff = true;
    return undefined;
  }
}
