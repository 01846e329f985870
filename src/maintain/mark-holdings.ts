/**
 * Marks what this home holds as its own on its peers: a home that an earlier version made, or that is a copy of another, has done so
 * nowhere yet. A shard that no home has marked may go with the next `prune` of any of them.
 */
import { ShardctlError } from '../core/errors.ts';
import type { Emit } from '../core/events.ts';
import type { Index } from '../index/index.ts';
import type { Peer } from '../peer/peer.ts';
import { holdingsOf } from '../storing/holdings.ts';

export interface MarkRun {
  readonly index: Index;
  readonly peers: ReadonlyMap<string, Peer>;
  readonly emit: Emit;
}

/** @param names of the peers @returns those on which all is marked now; one that does not answer is for the next run */
export async function markHoldings(run: MarkRun, names: readonly string[]): Promise<string[]> {
  const holdings = holdingsOf(run.index);
  const heldOn = (name: string) => holdings.filter(({ peers }) => peers.includes(name)).map(({ cid }) => cid);
  return await markOn(run, new Map(names.map((name) => [name, heldOn(name)])));
}

/** @param wanted CIDs by peer @returns the peers on which all of theirs is marked now; of each other it is told why not */
export async function markOn({ peers, emit }: Omit<MarkRun, 'index'>, wanted: ReadonlyMap<string, readonly string[]>): Promise<string[]> {
  const done = await Promise.all(
    [...wanted].map(async ([name, cids]) => {
      try {
        if (cids.length > 0) await peers.get(name)?.mark(cids);
        return [name];
      } catch (error) {
        if (!(error instanceof ShardctlError)) throw error;
        emit({
          type: 'warning',
          message: `peer ${name} does not know yet what this home needs there: ${error.message}`,
          cause: error.message,
        });
        return [];
      }
    }),
  );
  return done.flat();
}
