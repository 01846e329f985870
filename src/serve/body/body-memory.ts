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

/** How often it is looked, while somebody waits for room, who has waited longest for his client. */
const LOOK_MS = 250;

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
  /** In the order in which they came. */
  readonly #waiting = new Set<() => void>();
  #timer: NodeJS.Timeout | undefined;

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
    this.#dropOldest(this.#mostBytes);
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
    this.#dropOldest(this.#mostBytes);
    return share;
  }

  /** Resolves when memory is not tight, for bodies that cannot be sent in slices. Who has waited longest for his client is dropped for them. */
  async room(): Promise<void> {
    while (this.isTight) {
      this.#timer ??= setInterval(() => this.#dropOldest(this.#mostBytes / 2), LOOK_MS).unref();
      await new Promise<void>((resolve) => void this.#waiting.add(resolve));
    }
  }

  give(share: Share): void {
    if (!this.#shares.delete(share)) return;
    this.#bytes -= share.bytes;
    if (this.isTight || this.#waiting.size === 0) return;
    const waiting = [...this.#waiting];
    this.#waiting.clear();
    clearInterval(this.#timer);
    this.#timer = undefined;
    for (const resume of waiting) resume();
  }

  /** Drops those that have waited longest until no more than `most` bytes are left, and nobody who is young. */
  #dropOldest(most: number): void {
    for (const share of this.#shares) {
      if (this.#bytes <= most || share.since > this.#now() - PATIENCE_MS) return;
      this.give(share);
      share.drop();
    }
  }
}
