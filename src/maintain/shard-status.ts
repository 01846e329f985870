/** Which peers say that they hold each shard, and which should but do not. */

import { leastReplicas, type ShardRecord } from '../core/model.ts';
import type { Index } from '../index/index.ts';
import type { Peer } from '../peer/peer.ts';
import type { Demands } from '../storing/demand.ts';
import { holdingsOf } from '../storing/holdings.ts';
import { inventoriesOf } from '../storing/peer-inventory.ts';

/** A peer that should hold a shard. `gone`: it is set up no more. */
export interface Replica {
  readonly peer: string;
  readonly state: 'held' | 'missing' | 'silent' | 'gone';
}

/** A shard or a catalogue that a snapshot needs. */
export interface ShardStatus {
  /** Undefined on a catalogue. */
  readonly number: number | undefined;
  readonly label: string;
  readonly cid: string;
  readonly bytes: number;
  readonly replicas: readonly Replica[];
  /** What was lost of it when it was last read: a number of blocks, or `lost` when nobody knows how many. Absent when nothing was. */
  readonly lost?: number | 'unknown';
  /** How many replicas the repositories that need it ask for, and by which allocators. */
  readonly least: number;
  readonly allocateBy: readonly string[];
}

/** @param onSilent called for each peer that does not answer */
export async function shardStatuses(
  index: Index,
  peers: ReadonlyMap<string, Peer>,
  demands: Demands,
  onSilent?: (name: string) => void,
): Promise<ShardStatus[]> {
  const held = await inventoriesOf(peers, onSilent);
  const snapshots = index.repositories().flatMap(({ name }) => index.snapshots(name));
  const named = new Set(snapshots.flatMap(({ shards }) => shards));
  const stateOn = (peer: string, cid: string): Replica['state'] => {
    if (!peers.has(peer)) return 'gone';
    const cids = held.get(peer);
    if (cids === undefined) return 'silent';
    return cids.has(cid) ? 'held' : 'missing';
  };
  return holdingsOf(index)
    .filter(({ isCatalogue, shards: numbers }) => isCatalogue || numbers.some((number) => named.has(number)))
    .map((holding) => ({ holding, demand: demands.ofUsers(holding) }))
    .map(({ holding, demand }) => ({
      number: holding.shards[0],
      label: holding.label,
      cid: holding.cid,
      bytes: holding.bytes,
      replicas: holding.peers.map((peer) => ({ peer, state: stateOn(peer, holding.cid) })),
      least: leastReplicas(demand.replication, peers),
      allocateBy: demand.allocateBy,
      ...lossOf(holding.shards[0] === undefined ? undefined : index.shard(holding.shards[0])),
    }));
}

function lossOf(shard: ShardRecord | undefined): Pick<ShardStatus, 'lost'> {
  if (shard?.state === 'lost') return { lost: 'unknown' };
  return shard?.bad === undefined ? {} : { lost: shard.bad.length };
}

export function replicasHeld({ replicas }: ShardStatus): number {
  return replicas.filter(({ state }) => state === 'held').length;
}
