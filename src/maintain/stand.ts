/** How the replicas stand now, by the word of the peers: what is under its policy, and what `repair` could do something about. */
import { lacking } from '../storing/allocate/grace.ts';
import type { Maintenance } from './maintenance.ts';
import { type Replica, replicasHeld, type ShardStatus, shardStatuses } from './shard-status.ts';

export type StandRun = Pick<Maintenance, 'index' | 'peers' | 'demands' | 'grace'>;

/** A shard, and whether fewer peers have it than must. */
export interface Standing extends ShardStatus {
  /** A replica on a peer that is waited for counts as there, and so does one for which there is no other peer. */
  readonly isUnderPolicy: boolean;
}

/** Asks every peer for its inventory, and notes which are silent. */
export async function standOf({ index, peers, demands, grace }: StandRun): Promise<Standing[]> {
  const silent = new Set<string>();
  const statuses = await shardStatuses(index, peers, demands, (name) => silent.add(name));
  grace?.note({ peers: [...peers.keys()], silent });
  const known = { peers, silent, grace };
  return Array.from(statuses, (shard) => {
    const inState = (wanted: Replica['state']) => shard.replicas.filter(({ state }) => state === wanted).map(({ peer }) => peer);
    const stand = { ...shard, holders: inState('held'), silentHolders: inState('silent') };
    return { ...shard, isUnderPolicy: lacking(known, stand) > 0 };
  });
}

/** CIDs of the shards that are under their policy, or that a peer does not have any more. */
export function missingSomewhere(standings: readonly Standing[]): string[] {
  const isMissing = (shard: Standing) => shard.replicas.some(({ state }) => state === 'missing') || shard.isUnderPolicy;
  return standings.filter(isMissing).map(({ cid }) => cid);
}

/** CIDs of the shards of which something was lost when they were last read: only reading them again shows whether it still is. */
export function withLosses(statuses: readonly ShardStatus[]): string[] {
  return statuses.filter(({ lost }) => lost !== undefined).map(({ cid }) => cid);
}

/** Worst first: those that fewest peers have, then those that lack most, then the largest. */
export function byRisk(a: ShardStatus, b: ShardStatus): number {
  return replicasHeld(a) - replicasHeld(b) || b.least - a.least || b.bytes - a.bytes || (a.cid < b.cid ? -1 : 1);
}
