/** Asks what is the matter when nothing has come for a while, and stops what is waited for when the answer is that it is in vain. */
import type { GatewayFailure } from './failure.ts';

export class QuietWatch {
  readonly #stop = new AbortController();
  readonly #over = new AbortController();
  readonly #timer: NodeJS.Timeout;
  #heard = 0;

  /** @param ask gives the failure to stop with; is asked again after as long a silence if there is none. What it throws says nothing. */
  constructor(quietMs: number, ask: (signal: AbortSignal) => Promise<GatewayFailure | undefined>) {
    this.#timer = setTimeout(async () => {
      const heardBefore = this.#heard;
      const failure = await ask(this.#over.signal).catch(() => undefined);
      if (this.#over.signal.aborted) return;
      // What came meanwhile says more than the answer.
      if (failure !== undefined && heardBefore === this.#heard) this.#stop.abort(failure);
      else this.#timer.refresh();
    }, quietMs);
  }

  /** Aborted with the failure. */
  get signal(): AbortSignal {
    return this.#stop.signal;
  }

  heard(): void {
    this.#heard++;
    // A timer that was cleared would start anew.
    if (!this.#over.signal.aborted) this.#timer.refresh();
  }

  end(): void {
    clearTimeout(this.#timer);
    this.#over.abort();
  }
}
