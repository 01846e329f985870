/** What the status of a home needs beside the view that is served. */
import type { RunningRun } from '../../home/runs/running.ts';
import type { Demand } from '../../storing/demand.ts';

export interface StatusSource {
  /** Directory of what the last runs came to. */
  readonly runs: string;
  /** What the home asks for now. */
  demand(): Demand;
  /** The runs of the home that go on now. Reads a few small files. */
  running(): readonly RunningRun[];
  /** Milliseconds since 1970: when a run last took or gave back the lock, whether it changed something or not. Undefined when none ever has. */
  lastLocked(): number | undefined;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  /** Of this program. */
  readonly version: string;
}
