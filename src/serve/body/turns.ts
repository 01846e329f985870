/**
 * A few windows are made at once, in the order in which they were asked for, and between them everybody else gets a turn. Making one
 * takes milliseconds of the only thread: with five hundred at once, a small file waited 23 seconds, and what they take was counted too late.
 */
import { setImmediate as immediate } from 'node:timers/promises';

const MOST_AT_ONCE = 4;

export class MakingTurns {
  readonly #waiting = new Set<() => void>();
  #free = MOST_AT_ONCE;

  async take<T>(make: () => Promise<T>): Promise<T> {
    if (this.#free > 0) this.#free--;
    else await new Promise<void>((resolve) => void this.#waiting.add(resolve));
    try {
      return await make();
    } finally {
      void this.#passOn();
    }
  }

  async #passOn(): Promise<void> {
    if (this.#waiting.size > 0) await immediate();
    for (const next of this.#waiting) {
      this.#waiting.delete(next);
      next();
      return;
    }
    this.#free++;
  }
}
