/** What `peers drain` and `rebalance` are given, and what they say. */
import type { MoveCounts } from '../../storing/copy/mover.ts';
import type { Maintenance } from '../maintenance.ts';

export interface MoveRun extends Maintenance {
  /** Only say what would be done. */
  readonly dryRun: boolean;
}

/** Of a dry run: what would be done. */
export interface Moved extends MoveCounts {
  readonly dryRun: boolean;
  /** Copies taken away that were over the most replicas that anybody asks for. */
  readonly surplus: number;
  /** Bytes that this home has on each peer, before and after. */
  readonly peers: readonly { readonly name: string; readonly before: number; readonly after: number }[];
}
