/** What `repair` is given. */
import type { PruneRun } from '../prune/run.ts';

export interface RepairRun extends PruneRun {
  /** Read and hash every block of every replica; otherwise only sizes and manifests are looked at. */
  readonly readData: boolean;
  /** Only say what would be done. */
  readonly dryRun: boolean;
}
