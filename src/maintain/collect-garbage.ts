/** Asks peers for a garbage collection, where removing a shard only unpins it and frees no space (Kubo, IPFS Cluster). */
import { ShardctlError } from '../core/errors.ts';
import { type Emit, peerWarning } from '../core/events.ts';
import type { Peer } from '../peer/peer.ts';

/** Asks all peers at once. A peer that fails is reported and does not hold up the others. @returns names of the peers that have collected */
export async function reclaim(peers: ReadonlyMap<string, Peer>, emit: Emit): Promise<string[]> {
  const done = await Promise.all(
    [...peers].map(async ([name, peer]) => {
      if (peer.reclaim === undefined) return [];
      try {
        await peer.reclaim();
        return [name];
      } catch (error) {
        if (!(error instanceof ShardctlError)) throw error;
        emit(peerWarning(name, 'has not collected its space', error));
        return [];
      }
    }),
  );
  return done.flat();
}
