/**
 * Marks on the peers what this home holds. A home that an earlier version made, or that is a copy of another home, has no marks yet,
 * and a shard that no home has marked may be removed by the next `prune` of any home.
 */
import { ShardctlError } from '../core/errors.ts';
import { type Emit, peerWarning } from '../core/events.ts';
import type { Index } from '../index/index.ts';
import type { Peer } from '../peer/peer.ts';
import { holdingsOf } from '../storing/holdings.ts';

export interface MarkRun {
  readonly index: Index;
  readonly peers: ReadonlyMap<string, Peer>;
  readonly emit: Emit;
}

/** @param names of the peers @returns the peers on which everything is marked now; the next run tries the others again */
export async function markHoldings(run: MarkRun, names: readonly string[]): Promise<string[]> {
  const holdings = holdingsOf(run.index);
  const heldOn = (name: string) => holdings.filter(({ peers }) => peers.includes(name)).map(({ cid }) => cid);
  return await markOn(run, new Map(names.map((name) => [name, heldOn(name)])));
}

/** @param wanted CIDs by peer @returns the peers on which all of their CIDs are marked now; for each other peer an event says why not */
export async function markOn({ peers, emit }: Omit<MarkRun, 'index'>, wanted: ReadonlyMap<string, readonly string[]>): Promise<string[]> {
  const done = await Promise.all(
    [...wanted].map(async ([name, cids]) => {
      try {
        if (cids.length > 0) await peers.get(name)?.mark(cids);
        return [name];
      } catch (error) {
        if (!(error instanceof ShardctlError)) throw error;
        emit(peerWarning(name, 'does not know yet what this home needs there', error));
        return [];
      }
    }),
  );
  return done.flat();
}
