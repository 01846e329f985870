/** The seam between a run and whoever watches it. */
import type { Event } from '../../core/events.ts';

/** How a run ended. */
export interface Exit {
  readonly code: number;
  readonly error?: ExitError;
}

export interface ExitError {
  /** A stable code of `errors.ts`, or `BUG`. */
  readonly code: string;
  readonly message: string;
  readonly hint?: string;
}

export interface Reporter {
  event(event: Event): void;
  /** The last call: takes down what is on the screen and says why the run failed, if it did. */
  finish(exit: Exit): void;
}
