/** A part of a shard's file as it comes in, run by run, no faster than it is used. */
import { ShardctlError } from '../../core/errors.ts';

/** Runs that may wait to be asked for. */
const AHEAD = 8;
/** Runs that are kept behind the furthest that was asked for. */
export const BEHIND = 4;
/** How far ahead somebody may look who means to go on from there. */
const STEP = 4;

/** Gives `length` bytes of the shard's file from `offset` on, or fewer where that fails; nothing is hashed. */
export type ReadRange = (offset: number, length: number) => AsyncIterable<Buffer>;

export class RangeRead {
  readonly first: number;
  /** The run after its last: where it broke off, when it did. */
  end: number;
  readonly #runs: (Promise<Buffer | undefined> | undefined)[] = [];
  /** For those that are to come; whoever holds one holds what came by it. */
  readonly #arrived: ((run: Buffer | undefined) => void)[] = [];
  #asked: number;
  #wake = () => {};
  #isOver = false;
  #bug: { readonly error: unknown } | undefined;
  /** Bytes of all its runs. */
  readonly bytes: number;
  /** Of those that came in whole. */
  readBytes = 0;

  /** @param sizes of its runs @param content all of them, one after the other */
  constructor(first: number, sizes: readonly number[], content: AsyncIterable<Buffer>) {
    this.first = first;
    this.end = first + sizes.length;
    this.bytes = sizes.reduce((sum, size) => sum + size, 0);
    this.#asked = first;
    for (const _ of sizes) this.#runs.push(new Promise((resolve) => this.#arrived.push(resolve)));
    void this.#fill(sizes, content);
  }

  /**
   * Undefined where it did not come in whole, was let go of, or is too far ahead: whoever looks there comes back, mostly, because a
   * directory stands behind everything that is in it.
   */
  run(number: number): Promise<Buffer | undefined> | undefined {
    if (this.#bug !== undefined) throw this.#bug.error;
    if (number > this.#asked + STEP) return undefined;
    if (number > this.#asked) {
      this.#asked = number;
      this.#wake();
    }
    for (let old = this.#asked - BEHIND - 1; old >= this.first && this.#runs[old - this.first] !== undefined; old--)
      this.#runs[old - this.first] = undefined;
    return this.#runs[number - this.first];
  }

  /** Nobody asks any more. */
  close(): void {
    this.#isOver = true;
    this.#wake();
  }

  async #fill(sizes: readonly number[], content: AsyncIterable<Buffer>): Promise<void> {
    let [run, at] = [Buffer.allocUnsafe(sizes[0] as number), 0];
    let next = 0;
    try {
      for await (const piece of content) {
        for (let from = 0; from < piece.length && next < sizes.length; ) {
          const copied = piece.copy(run, at, from);
          from += copied;
          at += copied;
          if (at < run.length) continue;
          this.readBytes += run.length;
          next++;
          this.#arrived.shift()?.(run);
          if (next < sizes.length) run = Buffer.allocUnsafe(sizes[next] as number);
          at = 0;
        }
        while (!this.#isOver && next < sizes.length && this.first + next > this.#asked + AHEAD)
          await new Promise<void>((wake) => (this.#wake = wake));
        if (this.#isOver) break;
      }
    } catch (error) {
      // What did not come is asked for block by block, and the failure told there if it lasts.
      if (!(error instanceof ShardctlError)) this.#bug = { error };
    } finally {
      this.end = this.first + next;
      for (const arrived of this.#arrived.splice(0)) arrived(undefined);
    }
  }
}
