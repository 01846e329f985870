/** What `prune`, `repair`, `rm`, `rename`, `rebalance` and `peers drain` are given. */

import type { Grace } from '../storing/allocate/grace.ts';
import type { Demands } from '../storing/demand.ts';
import type { OpenHome, RunControl } from '../storing/open-home.ts';

export interface Maintenance extends OpenHome, RunControl {
  /** ID of this home, as its marks on the peers have it. */
  readonly self: string;
  /** How many replicas of a shard are asked for, and on which peers. */
  readonly demands: Demands;
  readonly shardBytes: number;
  /** How long silent peers are waited for; absent: not at all. */
  readonly grace?: Grace;
}
