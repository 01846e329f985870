/** Gives the event loop its turns during long work. */
import { setImmediate as immediate } from 'node:timers/promises';

/** Others get their turn at least this often: a signal is heard within a fraction of a second. */
const TURN_MS = 50;

/**
 * A loop that does long work awaits `give` in each of its steps. To await a promise that is resolved already lets nothing else run:
 * neither other tasks nor the handler of a signal. Turns go by time and not by a number of steps, because how long a step takes
 * depends on blocks that may be a stranger's.
 */
export class Turns {
  readonly #signal: AbortSignal | undefined;
  readonly #everyMs: number;
  #dueAt: number;

  /** @param signal looked at after each turn @param everyMs how long others may wait: a server is asked for more than one thing at once */
  constructor(signal: AbortSignal | undefined, everyMs = TURN_MS) {
    this.#signal = signal;
    this.#everyMs = everyMs;
    this.#dueAt = performance.now() + everyMs;
  }

  /** For loops in which an `await` for each step would cost too much: they ask first. */
  get isDue(): boolean {
    return performance.now() >= this.#dueAt;
  }

  /** Gives others their turn if it is due. @throws whatever the signal was aborted with */
  async give(): Promise<void> {
    if (!this.isDue) return;
    await immediate();
    this.#dueAt = performance.now() + this.#everyMs;
    this.#signal?.throwIfAborted();
  }
}
