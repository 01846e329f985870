/**
 * Reads blocks of a shard in ranges rather than one by one: a shard is a file, and a block's offset in it is the sum of the lengths of
 * the blocks before it. A tree is read in about the order in which it was packed, so whoever asks for a block will ask for its neighbours
 * next. Each request costs a daemon a seek through the manifest, about as much as reading a megabyte. So each range is twice as long as
 * the one before it, as long as the reader goes on from one to the next.
 */
import { BEHIND, RangeRead, type ReadRange } from './range-read.ts';

/** A span: bytes that come in, and are kept, together. */
const SPAN_BYTES = 1024 * 1024;
/** Two reads that are this many blocks apart are still neighbours: a file's root comes after its leaves, and is read before them. */
const NEAR = 64;
/** After this many neighbours in turn that no range has, the reader has skipped what lies between, and a new range begins there. */
const MOST_MISSED = 4;
/** Spans of a range, at most. The next range comes in while this one is read: one stream alone keeps neither daemon nor reader busy. */
const MOST_SPANS = 16;
/** A reader that has used less than a fourth of this much that was read ahead for it reads in another order: reading ahead ends. */
const TRIAL_BYTES = 8 * SPAN_BYTES;
const LEAST_USE = 4;

export class ReadAhead {
  readonly #readRange: ReadRange;
  /** Where each block begins, and where the last one ends. */
  readonly #offsets: Float64Array;
  /** The first block of each span, and at the end the number of blocks. Every block is in one span, always the same. */
  readonly #firsts: Uint32Array;
  /** Ranges that follow each other: the first of them is being read. */
  #ranges: RangeRead[] = [];
  #last: number | undefined;
  #missed = 0;
  #isOff = false;
  /** Bytes of ranges that are over. */
  #readBytes = 0;
  #usedBytes = 0;

  /** @param lengths of the blocks, in shard order */
  constructor(lengths: readonly number[], readRange: ReadRange) {
    this.#readRange = readRange;
    this.#offsets = new Float64Array(lengths.length + 1);
    const firsts = [0];
    let [first, start, at] = [0, 0, 0];
    for (const [index, length] of lengths.entries()) {
      if (at + length - start > SPAN_BYTES && first !== index) {
        [first, start] = [index, at];
        firsts.push(index);
      }
      at += length;
      this.#offsets[index + 1] = at;
    }
    this.#firsts = Uint32Array.from([...firsts, lengths.length]);
  }

  /** The bytes at the block's place, not hashed. Undefined where reading a span does not pay, or has failed. */
  async block(index: number): Promise<Buffer | undefined> {
    const isNear = this.#last !== undefined && Math.abs(index - this.#last) <= NEAR;
    this.#last = index;
    const number = this.#spanOf(index);
    const range = this.#rangeOf(number, isNear);
    const span = range?.span(number);
    this.#missed = span === undefined && isNear ? this.#missed + 1 : 0;
    if (range === undefined || span === undefined) return undefined;
    const [oldest] = this.#ranges;
    if (number > range.first + BEHIND && oldest !== undefined && range !== oldest) {
      this.#ranges.shift();
      this.#end(oldest);
    }
    if (isNear && range === this.#ranges.at(-1)) this.#goOn(range);
    const [start, end, from] = [this.#offset(index), this.#offset(index + 1), this.#offset(this.#firstOf(number))];
    const bytes = (await span)?.subarray(start - from, end - from);
    this.#usedBytes += bytes?.length ?? 0;
    // Where nothing at all came in, reading ahead ends: each further attempt may take its time to fail.
    if (bytes === undefined && range.readBytes === 0) this.#isOff = true;
    return bytes;
  }

  /** Ends all ranges that are under way. */
  close(): void {
    for (const range of this.#ranges.splice(0)) this.#end(range);
  }

  /** There is one for each block, and one for the end. */
  #offset(index: number): number {
    return this.#offsets[index] as number;
  }

  /** There is one for each span, and one for the end. */
  #firstOf(span: number): number {
    return this.#firsts[span] as number;
  }

  /** The last span that begins with this block or before it. */
  #spanOf(index: number): number {
    let [low, high] = [0, this.#firsts.length - 2];
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (this.#firstOf(middle) <= index) low = middle;
      else high = middle - 1;
    }
    return low;
  }

  /** The range that a span is in. A reader that goes on from another place in the shard gets a new one there. */
  #rangeOf(span: number, isNear: boolean): RangeRead | undefined {
    const range = this.#ranges.find(({ first, end }) => first <= span && span < end);
    if (!isNear || (range !== undefined && this.#missed < MOST_MISSED)) return range;
    this.close();
    return this.#open(span, 1);
  }

  /** Begins the range after this one, twice as long. */
  #goOn({ first, end }: RangeRead): void {
    if (end < this.#firsts.length - 1) this.#open(end, Math.min(MOST_SPANS, 2 * (end - first)));
  }

  #end(range: RangeRead): void {
    range.close();
    this.#readBytes += range.readBytes;
  }

  #open(first: number, spans: number): RangeRead | undefined {
    const bytes = this.#ranges.reduce((sum, range) => sum + range.bytes, this.#readBytes);
    if (bytes > TRIAL_BYTES && this.#usedBytes * LEAST_USE < bytes) this.#isOff = true;
    if (this.#isOff) return undefined;
    const start = this.#offset(this.#firstOf(first));
    let end = start;
    const sizes: number[] = [];
    for (const next of this.#firsts.subarray(first + 1, first + 1 + spans)) {
      sizes.push(this.#offset(next) - end);
      end = this.#offset(next);
    }
    const range = new RangeRead(first, sizes, this.#readRange(start, end - start));
    this.#ranges.push(range);
    return range;
  }
}
