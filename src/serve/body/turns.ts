/**
 * A few windows are made at once, in the order in which they were asked for, and of those that wait as many begin in a turn of the event
 * loop as take a millisecond, because Node accepts one connection in each turn: with four at once, a client that came among two thousand
 * waited six seconds. While connections keep coming, most turns make nothing: whoever is behind them in the system's queue asks for
 * something small, as likely as not.
 */
import { setImmediate as immediate } from 'node:timers/promises';

const MOST_AT_ONCE = 4;
/** What takes longer waits for a disk or for a peer that does not answer, and not for the thread: the next one begins then, too. */
const PATIENCE_MS = 250;

/** A leaf of a MiB is hashed in 0.7 ms; when it is known to be intact, it is read in 0.1, and a small part of it in 0.01. */
const TURN_MS = 1;

/** What was begun goes on after this long, however many connections come. */
const MOST_ARRIVING_MS = 20;

let hasArrived = false;

/** To be called for each connection that comes. */
export function noteArrival(): void {
  hasArrived = true;
}

/** Resolves in a turn of the event loop before which no connection has come. */
async function turnWithoutArrival(): Promise<void> {
  const end = performance.now() + MOST_ARRIVING_MS;
  do {
    hasArrived = false;
    await immediate();
  } while (hasArrived && performance.now() < end);
}

export class MakingTurns {
  readonly #waiting = new Set<() => void>();
  readonly #patienceMs: number;
  #free: number;
  /** The turn of the event loop in which the next one may begin. */
  #nextTurn: Promise<void> = Promise.resolve();
  /** When the last turn began in which somebody went on. */
  #turnBegan = Number.NEGATIVE_INFINITY;

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
    this.#nextTurn = this.#nextTurn.then(turnWithoutArrival);
    await this.#nextTurn;
    this.#turnBegan = performance.now();
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
    if (this.#waiting.size > 0 && performance.now() - this.#turnBegan > TURN_MS) await this.pause();
    for (const next of this.#waiting) {
      this.#waiting.delete(next);
      next();
      return;
    }
    this.#free++;
  }
}
