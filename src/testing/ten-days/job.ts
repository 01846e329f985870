/** What is run, and when: what the readers of units and of crontabs give. */

export interface Job {
  /** The instance of a unit, or what is done: `debian`, `check`, `update`. */
  readonly name: string;
  readonly argv: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  /** At which minute of an hour it starts, if it does. @param hour of the day */
  readonly minuteIn: (hour: number) => number | undefined;
  /** Whether somebody gets a mail. */
  readonly mails: (outcome: Outcome) => boolean;
}

export interface Outcome {
  /** As a shell has it: 128 and the number of the signal for one that was killed. */
  readonly code: number;
  /** Both streams. */
  readonly output: string;
}

/** Paths of a machine of the docs, and where they are here. The longest first. */
export type Places = readonly (readonly [from: string, to: string])[];

export function placed(text: string, places: Places): string {
  return places.reduce((done, [from, to]) => done.replaceAll(from, to), text);
}
