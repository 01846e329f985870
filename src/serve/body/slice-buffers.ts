/**
 * Buffers for slices, used again. A new one for each lies outside of V8's heap, and to give those back took the garbage collector a quarter
 * of all processor time while two thousand clients asked for large files at once.
 */
const LEAST_BYTES = 16 * 1024;
/** So many of each size are kept that nobody uses. Sizes are powers of two, so a slice takes no more than twice its length. */
const MOST_SPARE = 16;

export class SliceBuffers {
  readonly #spare = new Map<number, ArrayBufferLike[]>();

  /** `length` bytes, with anything in them. */
  take(length: number): Buffer {
    let size = LEAST_BYTES;
    while (size < length) size *= 2;
    return Buffer.from(this.#spare.get(size)?.pop() ?? new ArrayBuffer(size), 0, length);
  }

  /** For a slice of `take` that nobody reads or writes any more. */
  give({ buffer }: Uint8Array): void {
    const spare = this.#spare.get(buffer.byteLength);
    if (spare === undefined) this.#spare.set(buffer.byteLength, [buffer]);
    else if (spare.length < MOST_SPARE) spare.push(buffer);
  }
}
