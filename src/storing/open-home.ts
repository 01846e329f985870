/** What every command works on that stores something, and the limits, events and signal by which it runs. */
import type { Emit } from '../core/events.ts';
import type { Index } from '../index/index.ts';
import type { Peer } from '../peer/peer.ts';
import type { InTurn } from './place/in-turn.ts';
import type { TransferLimits } from './place/placer.ts';

/** What a run works on. */
export interface OpenHome {
  readonly index: Index;
  readonly peers: ReadonlyMap<string, Peer>;
  /** Directory for shards on their way to peers; emptied at the start. */
  readonly spool: string;
  /** Begins when no other run does this for the shard of that CID: needed where other runs may write to the home at the same time. */
  readonly inTurn?: InTurn | undefined;
  /** Directory with a file for each repository that holds the CID of its newest snapshot. */
  readonly heads: string;
}

/** Limits on a run's transfers, where its events go, the signal that stops it, and its clock. */
export interface RunControl extends TransferLimits {
  readonly emit: Emit;
  readonly signal: AbortSignal;
  /** Milliseconds since 1970. */
  readonly now: () => number;
}
