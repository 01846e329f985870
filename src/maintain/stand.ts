/** How the replicas stand now, by the word of the peers: what is under its policy, and what `repair` could do something about. */
import type { Grace } from './grace.ts';
import type { Maintenance } from './maintenance.ts';
import { replicasHeld, type ShardStatus, shardStatuses } from './shard-status.ts';

export type StandRun = Pick<Maintenance, 'index' | 'peers' | 'demands' | 'grace'>;

/** Asks every peer for its inventory, and notes which are silent. */
export async function standOf({ index, peers, demands, grace }: StandRun): Promise<ShardStatus[]> {
  const silent = new Set<string>();
  const statuses = await shardStatuses(index, peers, demands, (name) => silent.add(name));
  grace?.note(peers.keys(), silent);
  return statuses;
}

/** Whether fewer peers have the shard than must. A replica on a peer that is waited for counts as there. */
export function isUnderPolicy(shard: ShardStatus, grace?: Pick<Grace, 'until'>): boolean {
  const waited = shard.replicas.filter(({ peer, state }) => state === 'silent' && grace?.until(peer) !== undefined).length;
  return replicasHeld(shard) + waited < shard.least;
}

/** CIDs of the shards that are under their policy, or that a peer does not have any more. */
export function missingSomewhere(statuses: readonly ShardStatus[], grace: Grace | undefined): string[] {
  const isMissing = (shard: ShardStatus) => shard.replicas.some(({ state }) => state === 'missing') || isUnderPolicy(shard, grace);
  return statuses.filter(isMissing).map(({ cid }) => cid);
}

/** CIDs of the shards of which something was lost when they were last read: only reading them again shows whether it still is. */
export function withLosses(statuses: readonly ShardStatus[]): string[] {
  return statuses.filter(({ lost }) => lost !== undefined).map(({ cid }) => cid);
}

/** Worst first: those that fewest peers have, then those that lack most, then the largest. */
export function byRisk(a: ShardStatus, b: ShardStatus): number {
  return replicasHeld(a) - replicasHeld(b) || b.least - a.least || b.bytes - a.bytes || (a.cid < b.cid ? -1 : 1);
}
