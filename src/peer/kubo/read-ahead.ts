/**
 * Reads blocks in runs rather than one by one: a shard is a file, and a block's offset in it is the sum of the lengths before it.
 * A tree is read in about the order in which it was packed, so who asks for a block asks for its neighbours next.
 */
import { ShardctlError } from '../../errors.ts';

/** Bytes of a run: a hundred small files for the price of one answer. */
const RUN_BYTES = 1024 * 1024;
/** How far two reads may be apart, in blocks, and still be neighbours: a file's root comes after its leaves, and is read before them. */
const NEAR = 64;
/** The run that is read, the one before it, and the one that comes next. */
const RUNS_KEPT = 3;

interface Run {
  readonly from: number;
  /** After its last block. */
  readonly to: number;
  /** Undefined when it could not be read, or not whole. */
  readonly bytes: Promise<Buffer | undefined>;
}

/** Gives `length` bytes of the shard's file from `offset` on; nothing is hashed. */
export type ReadRange = (offset: number, length: number) => Promise<Buffer> | undefined;

export class ReadAhead {
  readonly #lengths: readonly number[];
  readonly #offsets: Float64Array;
  readonly #readRange: ReadRange;
  /** The newest last. */
  #runs: Run[] = [];
  #last: number | undefined;
  /** A source that failed once is not asked again: it may take its time over failing. */
  #failed = false;

  /** @param lengths of the blocks, in shard order */
  constructor(lengths: readonly number[], readRange: ReadRange) {
    this.#lengths = lengths;
    this.#readRange = readRange;
    this.#offsets = new Float64Array(lengths.length + 1);
    for (const [index, length] of lengths.entries()) this.#offsets[index + 1] = (this.#offsets[index] as number) + length;
  }

  /** Bytes that should be the block's: to be hashed. Undefined where it does not pay to read a run, or where that failed. */
  async block(index: number): Promise<Buffer | undefined> {
    const isNear = this.#last !== undefined && Math.abs(index - this.#last) <= NEAR;
    this.#last = index;
    const run = this.#runOf(index) ?? (isNear && !this.#failed ? this.#open(index) : undefined);
    if (run === undefined) return undefined;
    if (run === this.#runs.at(-1) && run.to < this.#lengths.length && !this.#failed) this.#open(run.to);
    const bytes = await run.bytes;
    const at = (this.#offsets[index] as number) - (this.#offsets[run.from] as number);
    return bytes?.subarray(at, at + (this.#lengths[index] as number));
  }

  #runOf(index: number): Run | undefined {
    return this.#runs.find(({ from, to }) => index >= from && index < to);
  }

  #open(from: number): Run {
    let to = from + 1;
    const start = this.#offsets[from] as number;
    while (to < this.#lengths.length && (this.#offsets[to + 1] as number) - start <= RUN_BYTES && this.#runOf(to) === undefined) to++;
    const length = (this.#offsets[to] as number) - start;
    const run = { from, to, bytes: this.#read(start, length) };
    this.#runs = [...this.#runs.slice(1 - RUNS_KEPT), run];
    return run;
  }

  async #read(offset: number, length: number): Promise<Buffer | undefined> {
    if (length === 0) return Buffer.alloc(0);
    try {
      const bytes = await this.#readRange(offset, length);
      if (bytes?.length === length) return bytes;
    } catch (error) {
      if (!(error instanceof ShardctlError)) throw error;
    }
    this.#failed = true;
    return undefined;
  }
}
