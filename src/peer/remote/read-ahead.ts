/**
 * Reads blocks in stretches rather than one by one: a shard is a file, and a block's offset in it is the sum of the lengths before it.
 * A tree is read in about the order in which it was packed, so who asks for a block asks for its neighbours next. Each question costs
 * a daemon a seek through the manifest, about as much as reading a megabyte: whoever goes on gets twice as much with each.
 */
import { BEHIND, RangeRead, type ReadRange } from './range-read.ts';

/** Bytes that come in, and are kept, together. */
const RUN_BYTES = 1024 * 1024;
/** How far two reads may be apart, in blocks, and still be neighbours: a file's root comes after its leaves, and is read before them. */
const NEAR = 64;
/** Blocks in turn that are near each other and beyond what is being read: whoever asks for them has gone on without the blocks between. */
const MOST_MISSED = 4;
/** Runs of a stretch, at most. The next one comes in while it is read: one stream alone keeps neither a daemon nor its reader busy. */
const MOST_RUNS = 16;
/** Whoever uses less than a fourth of what was read ahead for him, after so much, reads in another order. */
const TRIAL_BYTES = 8 * RUN_BYTES;
const LEAST_USE = 4;

export class ReadAhead {
  readonly #readRange: ReadRange;
  /** Where each block begins, and where the last one ends. */
  readonly #offsets: Float64Array;
  /** The first block of each run, and the number of blocks. Every block is in one run, always the same. */
  readonly #firsts: readonly number[];
  /** They follow each other: the first of them is being read. */
  #stretches: RangeRead[] = [];
  #last: number | undefined;
  #missed = 0;
  #isOff = false;
  /** Of stretches that are over. */
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
    const stretch = this.#stretchOf(number, isNear);
    const run = stretch?.run(number);
    this.#missed = run === undefined && isNear ? this.#missed + 1 : 0;
    if (stretch === undefined || run === undefined) return undefined;
    if (number > stretch.first + BEHIND && stretch !== this.#stretches[0]) this.#end(this.#stretches.shift() as RangeRead);
    if (isNear && stretch === this.#stretches.at(-1)) this.#goOn(stretch);
    const [start, end, from] = [this.#offset(index), this.#offset(index + 1), this.#offset(this.#firsts[number] as number)];
    const bytes = (await run)?.subarray(start - from, end - from);
    this.#usedBytes += bytes?.length ?? 0;
    // Not asked again where nothing came at all: it may take its time over failing.
    if (bytes === undefined && stretch.readBytes === 0) this.#isOff = true;
    return bytes;
  }

  /** Lets go of what was asked for. */
  close(): void {
    for (const stretch of this.#stretches.splice(0)) this.#end(stretch);
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

  /** The stretch that a run is in, begun there when it is somewhere else in the shard. */
  #stretchOf(number: number, isNear: boolean): RangeRead | undefined {
    const stretch = this.#stretches.find(({ first, end }) => first <= number && number < end);
    if (!isNear || (stretch !== undefined && this.#missed < MOST_MISSED)) return stretch;
    this.close();
    return this.#open(number, 1);
  }

  /** Twice as far as so far. */
  #goOn({ first, end }: RangeRead): void {
    if (end < this.#firsts.length - 1) this.#open(end, Math.min(MOST_RUNS, 2 * (end - first)));
  }

  #end(stretch: RangeRead): void {
    stretch.close();
    this.#readBytes += stretch.readBytes;
  }

  #open(first: number, runs: number): RangeRead | undefined {
    const bytes = this.#stretches.reduce((sum, stretch) => sum + stretch.bytes, this.#readBytes);
    if (bytes > TRIAL_BYTES && this.#usedBytes * LEAST_USE < bytes) this.#isOff = true;
    if (this.#isOff) return undefined;
    const bounds = this.#firsts.slice(first, first + runs + 1).map((index) => this.#offset(index));
    const sizes = bounds.slice(1).map((end, at) => end - (bounds[at] as number));
    const [start, end] = [bounds[0] as number, bounds.at(-1) as number];
    const stretch = new RangeRead(first, sizes, this.#readRange(start, end - start));
    this.#stretches.push(stretch);
    return stretch;
  }
}
