/** Which peers say that they hold each shard, and which should but do not. */

import { leastReplicas } from '../core/model.ts';
import type { Index } from '../index/index.ts';
import type { Peer } from '../peer/peer.ts';
import type { Demands } from '../storing/demand.ts';
import { type Holding, Holdings } from '../storing/holdings.ts';
import { listedOf } from '../storing/peer-inventory.ts';

/** A peer that should hold a shard. `gone`: it is set up no more. */
export interface Replica {
  readonly peer: string;
  readonly state: 'held' | 'missing' | 'silent' | 'gone';
}

/** A shard or a catalogue that a snapshot needs. */
export interface ShardStatus {
  /** Numbers of the records that stand for it; none on a catalogue. */
  readonly shards: readonly number[];
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

/**
 * Asks every peer for its inventory.
 * @param onSilent called for each peer that does not answer
 * @returns each status is made when it is asked for, from the records as they are then: a home may have half a million shards
 */
export async function shardStatuses(
  index: Index,
  peers: ReadonlyMap<string, Peer>,
  demands: Demands,
  onSilent?: (name: string) => void,
): Promise<Iterable<ShardStatus>> {
  const holdings = new Holdings(index);
  const listed = await listedOf(peers, holdings, onSilent);
  const stateOn = (peer: string, cid: string): Replica['state'] => {
    if (!peers.has(peer)) return 'gone';
    const cids = listed.get(peer);
    if (cids === undefined) return 'silent';
    return cids.has(cid) ? 'held' : 'missing';
  };
  const demandOf = demands.ofEach();
  const statusOf = (holding: Holding): ShardStatus => {
    const { replication, allocateBy } = demandOf(holding);
    const { label, cid, bytes, shards, lost } = holding;
    return {
      shards,
      label,
      cid,
      bytes,
      replicas: holding.peers.map((peer) => ({ peer, state: stateOn(peer, cid) })),
      least: leastReplicas(replication, peers),
      allocateBy,
      ...(lost === undefined ? {} : { lost }),
    };
  };
  return {
    *[Symbol.iterator]() {
      for (const holding of holdings)
        if (holding.isCatalogue || holding.shards.some((number) => demands.isNeeded(number))) yield statusOf(holding);
    },
  };
}

export function replicasHeld({ replicas }: ShardStatus): number {
  return replicas.filter(({ state }) => state === 'held').length;
}
