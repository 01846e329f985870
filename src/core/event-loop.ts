/** Turns of the event loop, for work that would keep it from everybody else. In a file of its own: an update that finds nothing to do loads no queue. */
import { setImmediate as immediate } from 'node:timers/promises';

/** Others get their turn at least this often: a signal is heard within a fraction of a second. */
const TURN_MS = 50;

/**
 * Lets a long run of work give the event loop its turn. Awaiting what is at hand already gives nobody a turn, and no signal is heard
 * meanwhile; how much work fits between two turns depends on blocks that may be a stranger's, so this goes by time.
 */
export class Turns {
  readonly #signal: AbortSignal | undefined;
  #dueAt = performance.now() + TURN_MS;

  /** @param signal looked at after each turn */
  constructor(signal: AbortSignal | undefined) {
    this.#signal = signal;
  }

  /** For loops that are too hot to await each time. */
  get isDue(): boolean {
    return performance.now() >= this.#dueAt;
  }

  /** Gives others their turn if it is due. @throws whatever the signal was aborted with */
  async give(): Promise<void> {
    if (!this.isDue) return;
    await immediate();
    this.#dueAt = performance.now() + TURN_MS;
    this.#signal?.throwIfAborted();
  }
}
