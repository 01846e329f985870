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

/** Of the lines of `--json`: raised when a program that reads those of today would misread those of tomorrow, see docs/json.md. */
export const JSON_VERSION = 1;

/** The last line of a run with `--json`, however it ends. */
export type ExitLine = { readonly type: 'exit' } & Exit & { readonly v: typeof JSON_VERSION };

export interface Reporter {
  event(event: Event): void;
  /** The last call: takes down what is on the screen and says why the run failed, if it did. */
  finish(exit: Exit): void;
}
