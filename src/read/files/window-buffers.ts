/** Buffers for windows, used again: a new one of 4 MiB costs a thousand page faults, and is given back to the system late. */

/** So many are kept that nobody uses. */
const MOST_SPARE = 4;

export class WindowBuffers {
  readonly #size: number;
  readonly #spare: Buffer[] = [];

  /** @param size bytes of the buffers that are kept */
  constructor(size: number) {
    this.#size = size;
  }

  /** At least `length` bytes, with anything in them. Small ones are made anew, of the length that is asked for. */
  take(length: number): Buffer {
    if (length <= this.#size / 2 || length > this.#size) return Buffer.allocUnsafeSlow(length);
    return this.#spare.pop() ?? Buffer.allocUnsafeSlow(this.#size);
  }

  /** For a buffer that nobody reads or writes any more. */
  give(buffer: Buffer): void {
    if (buffer.length === this.#size && this.#spare.length < MOST_SPARE) this.#spare.push(buffer);
  }
}
