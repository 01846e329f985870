/** What `repair` is given. */
import type { Maintenance } from '../maintenance.ts';

export interface RepairRun extends Maintenance {
  /** Read and hash every block of every replica; otherwise only sizes and manifests are looked at. */
  readonly readData: boolean;
  /** Only say what would be done. */
  readonly dryRun: boolean;
}
