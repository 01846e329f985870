/**
 * Bounds what all bodies under way take together: slices and windows that wait for their clients, and windows that are read ahead. The
 * more there is, the smaller are the slices; from half of the bound on nobody gets a window; beyond it, whoever has waited longest is dropped.
 */

const MOST_BYTES = 64 * 1024 * 1024;
/** Nobody is dropped who waits for less: a large burst of good clients is over by then. */
const PATIENCE_MS = 5_000;
const LARGE_SLICE_BYTES = 256 * 1024;
const SLICE_BYTES = 64 * 1024;
/** So small that four thousand of them are within the bound. */
const SMALL_SLICE_BYTES = 16 * 1024;

export interface BodyMemoryOptions {
  readonly mostBytes?: number;
  /** Milliseconds, from any beginning. */
  readonly now?: () => number;
}

/** What one client has been given. */
export interface Share {
  readonly bytes: number;
  readonly since: number;
  readonly drop: () => void;
}

export class BodyMemory {
  readonly #mostBytes: number;
  readonly #now: () => number;
  /** In the order in which they were taken. */
  readonly #shares = new Set<Share>();
  #bytes = 0;

  constructor({ mostBytes = MOST_BYTES, now = () => performance.now() }: BodyMemoryOptions = {}) {
    this.#mostBytes = mostBytes;
    this.#now = now;
  }

  get bytes(): number {
    return this.#bytes;
  }

  get isTight(): boolean {
    return this.#bytes > this.#mostBytes / 2;
  }

  /** Whether nothing more should be begun. Those who have waited too long are dropped. */
  isFull(): boolean {
    this.#dropOldest();
    return this.#bytes > this.#mostBytes;
  }

  /** The most bytes that wait for a client who gets no windows. */
  get sliceBytes(): number {
    const fill = this.#bytes / this.#mostBytes;
    return fill < 1 / 4 ? LARGE_SLICE_BYTES : fill < 3 / 4 ? SLICE_BYTES : SMALL_SLICE_BYTES;
  }

  /** @param drop ends the connection of the client, which then gives its share back */
  take(bytes: number, drop: () => void): Share {
    const share = { bytes, since: this.#now(), drop };
    this.#shares.add(share);
    this.#bytes += bytes;
    this.#dropOldest();
    return share;
  }

  give(share: Share): void {
    if (this.#shares.delete(share)) this.#bytes -= share.bytes;
  }

  #dropOldest(): void {
    for (const share of this.#shares) {
      if (this.#bytes <= this.#mostBytes || share.since > this.#now() - PATIENCE_MS) return;
      this.give(share);
      share.drop();
    }
  }
}
