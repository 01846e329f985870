/** Buffers for windows, used again: a new one of a MiB costs 256 page faults, and is given back to the system late. */

/**
 * The most that is read at once where more blocks than one are: four leaves of 256 KiB and what stands between them. With windows of 4 MiB,
 * as with 2, 256 MiB took 5 % more processor time, and each client that reads four times the memory.
 */
export const WINDOW_BYTES = 1024 * 1024 + 4096;
/** So many are kept that nobody uses. */
const MOST_SPARE = 16;

class WindowBuffers {
  readonly #spare: Buffer[] = [];

  /** At least `length` bytes, with anything in them. Small ones are made anew, of the length that is asked for, and so is one for a large block. */
  take(length: number): Buffer {
    if (length <= WINDOW_BYTES / 2 || length > WINDOW_BYTES) return Buffer.allocUnsafeSlow(length);
    return this.#spare.pop() ?? Buffer.allocUnsafeSlow(WINDOW_BYTES);
  }

  /** For a buffer that nobody reads or writes any more. */
  give(buffer: Buffer): void {
    if (buffer.length === WINDOW_BYTES && this.#spare.length < MOST_SPARE) this.#spare.push(buffer);
  }
}

/** Those of the process. */
export const windowBuffers = new WindowBuffers();
