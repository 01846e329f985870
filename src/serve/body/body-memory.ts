/**
 * Bounds what bodies that wait for their clients take: each client has a window of up to 4 MiB that the system has not taken yet. From
 * half of the bound on, clients are sent small pieces; beyond it, the one that has waited longest is dropped.
 */

const MOST_BYTES = 96 * 1024 * 1024;
/** Nobody is dropped who waits for less: a large burst of good clients is over by then. */
const PATIENCE_MS = 5_000;

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

  get isTight(): boolean {
    return this.#bytes > this.#mostBytes / 2;
  }

  /** @param drop ends the connection of the client, which then gives its share back */
  take(bytes: number, drop: () => void): Share {
    const share = { bytes, since: this.#now(), drop };
    this.#shares.add(share);
    this.#bytes += bytes;
    if (this.#bytes > this.#mostBytes) this.#dropOldest();
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
