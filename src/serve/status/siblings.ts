/** The other workers of the same server, as far as its metrics need them. */
import type { PlainFamily } from './exposition.ts';

export interface Siblings {
  /** What each of the others has counted, and what those had that are not there any more. One that does not answer soon is left out. */
  others(): Promise<readonly (readonly PlainFamily[])[]>;
  /** Says what this worker answers when another one asks. */
  answerWith(families: () => Promise<readonly PlainFamily[]>): void;
}
