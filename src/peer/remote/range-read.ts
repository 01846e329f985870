/** One range of a shard's file as it comes in, cut into the spans of `ReadAhead`, no faster than they are used. */
import { ShardctlError } from '../../core/errors.ts';

/** Spans that may have come in and wait to be asked for. */
const AHEAD = 8;
/** Spans that are kept behind the furthest one that was asked for. */
export const BEHIND = 4;
/** A question for a span that is further ahead than this is not taken for reading on from there. */
const STEP = 4;

/** Gives `length` bytes of the shard's file from `offset` on, or fewer when that fails; nothing is hashed. */
export type ReadRange = (offset: number, length: number) => AsyncIterable<Buffer>;

export class RangeRead {
  readonly first: number;
  /** The number after its last span; when it has broken off, after the last span that came in whole. */
  end: number;
  readonly #spans: (Promise<Buffer | undefined> | undefined)[] = [];
  /** Resolve the spans that are still to come, in order. Each is dropped when it was called, so that it does not keep the span in memory. */
  readonly #arrived: ((span: Buffer | undefined) => void)[] = [];
  #asked: number;
  #wake = () => {};
  #isOver = false;
  #bug: { readonly error: unknown } | undefined;
  /** Bytes of all its spans. */
  readonly bytes: number;
  /** Bytes of the spans that came in whole. */
  readBytes = 0;

  /** @param first number of its first span @param sizes of its spans @param content the bytes of all spans, one after the other */
  constructor(first: number, sizes: readonly number[], content: AsyncIterable<Buffer>) {
    this.first = first;
    this.end = first + sizes.length;
    this.bytes = sizes.reduce((sum, size) => sum + size, 0);
    this.#asked = first;
    for (const _ of sizes) this.#spans.push(new Promise((resolve) => this.#arrived.push(resolve)));
    void this.#fill(sizes, content);
  }

  /**
   * Undefined when the span did not come in whole, was let go of, or is too far ahead. Whoever looks that far ahead mostly comes back:
   * a directory stands behind everything that is in it.
   */
  span(number: number): Promise<Buffer | undefined> | undefined {
    if (this.#bug !== undefined) throw this.#bug.error;
    if (number > this.#asked + STEP) return undefined;
    if (number > this.#asked) {
      this.#asked = number;
      this.#wake();
    }
    for (let old = this.#asked - BEHIND - 1; old >= this.first && this.#spans[old - this.first] !== undefined; old--)
      this.#spans[old - this.first] = undefined;
    return this.#spans[number - this.first];
  }

  /** Ends the reading: nobody will ask for a span any more. */
  close(): void {
    this.#isOver = true;
    this.#wake();
  }

  async #fill(sizes: readonly number[], content: AsyncIterable<Buffer>): Promise<void> {
    let next = 0;
    try {
      for await (const span of spansIn(content, sizes)) {
        this.readBytes += span.length;
        next++;
        this.#arrived.shift()?.(span);
        while (!this.#isOver && next < sizes.length && this.first + next > this.#asked + AHEAD)
          await new Promise<void>((wake) => (this.#wake = wake));
        if (this.#isOver) break;
      }
    } catch (error) {
      // Whoever needs a block that did not come in asks for it by itself, and gets the failure there if it lasts.
      if (!(error instanceof ShardctlError)) this.#bug = { error };
    } finally {
      this.end = this.first + next;
      for (const arrived of this.#arrived.splice(0)) arrived(undefined);
    }
  }
}

/**
 * Cuts what comes in into spans of these sizes, and reads on to the end after the last one, so that the connection can be used again. More
 * than was asked for may come without an end, and is not read.
 */
async function* spansIn(content: AsyncIterable<Buffer>, sizes: readonly number[]): AsyncGenerator<Buffer> {
  const sizesLeft = [...sizes];
  const nextSpan = () => {
    const size = sizesLeft.shift();
    return size === undefined ? undefined : Buffer.allocUnsafe(size);
  };
  let span = nextSpan();
  let at = 0;
  for await (const piece of content) {
    for (let from = 0; from < piece.length; ) {
      if (span === undefined) return;
      const copied = piece.copy(span, at, from);
      from += copied;
      at += copied;
      if (at < span.length) continue;
      yield span;
      span = nextSpan();
      at = 0;
    }
  }
}
