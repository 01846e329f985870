/**
 * A few windows are made at once, in the order in which they were asked for, and of those that wait one begins in each turn of the event
 * loop, because Node accepts one connection in each: with four at once, a client that came among two thousand waited six seconds.
 */
import { setImmediate as immediate } from 'node:timers/promises';

const MOST_AT_ONCE = 4;
/** What takes longer waits for a disk or for a peer that does not answer, and not for the thread: the next one begins then, too. */
const PATIENCE_MS = 250;

export class MakingTurns {
  readonly #waiting = new Set<() => void>();
  readonly #patienceMs: number;
  #free: number;
  /** The turn of the event loop in which the next one may begin. */
  #nextTurn: Promise<void> = Promise.resolve();

  constructor(mostAtOnce = MOST_AT_ONCE, patienceMs = PATIENCE_MS) {
    this.#free = mostAtOnce;
    this.#patienceMs = patienceMs;
  }

  /** How many wait for their turn. */
  get waiting(): number {
    return this.#waiting.size;
  }

  /** Everybody else gets a turn. Of all who pause, one goes on in each turn of the event loop. */
  async pause(): Promise<void> {
    this.#nextTurn = this.#nextTurn.then(() => immediate());
    await this.#nextTurn;
  }

  async take<T>(make: () => Promise<T>): Promise<T> {
    if (this.#free > 0) this.#free--;
    else await new Promise<void>((resolve) => void this.#waiting.add(resolve));
    let hasPlace = true;
    const giveUp = () => {
      if (hasPlace) void this.#passOn();
      hasPlace = false;
    };
    const timer = setTimeout(giveUp, this.#patienceMs);
    try {
      return await make();
    } finally {
      clearTimeout(timer);
      giveUp();
    }
  }

  async #passOn(): Promise<void> {
    if (this.#waiting.size > 0) await this.pause();
    for (const next of this.#waiting) {
      this.#waiting.delete(next);
      next();
      return;
    }
    this.#free++;
  }
}
