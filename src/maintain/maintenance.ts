/** What `prune` and `repair` are given. */

import type { Emit } from '../core/events.ts';
import type { Index } from '../index/index.ts';
import type { Peer } from '../peer/peer.ts';
import type { Demands } from '../storing/demand.ts';
import type { TransferLimits } from '../storing/place/placer.ts';

export interface Maintenance extends TransferLimits {
  readonly index: Index;
  readonly peers: ReadonlyMap<string, Peer>;
  /** ID of this home, as its marks on the peers have it. */
  readonly self: string;
  /** How many replicas of a shard are asked for, and on which peers. */
  readonly demands: Demands;
  readonly shardBytes: number;
  /** Directory for shards on their way to peers; emptied at the start. */
  readonly spool: string;
  /** Directory with a file per repository that holds the CID of its newest snapshot. */
  readonly heads: string;
  readonly emit: Emit;
  readonly signal: AbortSignal;
  /** Milliseconds since 1970. */
  readonly now: () => number;
}
