/** Has peers collect the space of what was removed, where that is not done by removing. */
import { ShardctlError } from '../core/errors.ts';
import type { Emit } from '../core/events.ts';
import type { Peer } from '../peer/peer.ts';

/** All at once; one that cannot is told of and does not keep the others. @returns the names of those that did */
export async function reclaim(peers: ReadonlyMap<string, Peer>, emit: Emit): Promise<string[]> {
  const done = await Promise.all(
    [...peers].map(async ([name, peer]) => {
      if (peer.reclaim === undefined) return [];
      try {
        await peer.reclaim();
        return [name];
      } catch (error) {
        if (!(error instanceof ShardctlError)) throw error;
        emit({ type: 'warning', message: `peer ${name} has not collected its space: ${error.message}`, cause: error.message });
        return [];
      }
    }),
  );
  return done.flat();
}
