/** What `peers drain` and `rebalance` are given, and what they say. */
import type { PruneRun } from '../prune/run.ts';

export interface MoveRun extends PruneRun {
  /** Only say what would be done. */
  readonly dryRun: boolean;
}

export interface Moved {
  readonly dryRun: boolean;
  /** Copies made on other peers, or to be made, and their bytes. */
  readonly copied: number;
  readonly copiedBytes: number;
  /** Copies taken away, or to be taken away, and their bytes. */
  readonly removed: number;
  readonly removedBytes: number;
  /** Those of them that were over the most replicas that anybody asks for. */
  readonly surplus: number;
  /** Copies that are this home's no more, and that peers keep because other homes count on them. */
  readonly kept: number;
  /** Shards and catalogues that stay where they are although they should not: run again when what is named has been mended. */
  readonly left: number;
  /** Bytes that this home has on each peer, before and after. */
  readonly peers: readonly { readonly name: string; readonly before: number; readonly after: number }[];
}
