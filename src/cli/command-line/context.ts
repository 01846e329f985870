/** What every command gets: the command line, the surroundings, and where to write. */
import type { HomePaths } from '../../home/home.ts';
import type { SecondThread } from '../../update/scan/second-thread.ts';
import type { Output } from '../reporter/output.ts';
import type { Reporter } from '../reporter/reporter.ts';
import type { Args } from './args.ts';
import type { Absolute } from './surroundings.ts';

export interface Context {
  readonly args: Args;
  readonly home: HomePaths;
  readonly absolute: Absolute;
  /** The user's; that of the process is the one that the home asks for (`session/privacy.ts`). */
  readonly umask: number;
  /** Of this program. */
  readonly version: string;
  readonly output: Output;
  readonly reporter: Reporter;
  /** Results as JSON lines rather than as text. */
  readonly json: boolean;
  /** `-q` or `-Q`: commands whose result is not their output say nothing when all is well. */
  readonly quiet: boolean;
  /** Somebody watches bars on a terminal. */
  readonly watched: boolean;
  readonly signal: AbortSignal;
  /** Started before an update of a large repository was loaded. */
  readonly secondThread: SecondThread | undefined;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  /** Called when the process ends, however it ends (SIGKILL excepted). */
  readonly onExit: (release: () => void) => void;
  /**
   * Called when all that the run has to tell is told, for notes that the next runs need not tell it again; never where the run ends at once,
   * at a second signal. By then the run has let go of its locks: of two runs that note at the same moment one note may be lost, and is
   * told twice.
   */
  readonly onTold: (note: () => void) => void;
}

/** Resolves to the exit code; throws for what stops it. */
export type Command = (context: Context) => Promise<number>;
