/** For tests of what moves from peer to peer: `drain` and `rebalance` on a test home, and how many whole copies there are. */

import { drain } from '../maintain/move/drain.ts';
import type { Moved, MoveRun } from '../maintain/move/move-run.ts';
import { rebalance } from '../maintain/move/rebalance.ts';
import type { ToldDemand } from '../storing/demand.ts';
import { holdingsOf } from '../storing/holdings.ts';
import { pruneRun, withIndex } from './retention.ts';
import type { TestHome } from './run.ts';

export function drainHome(home: TestHome, peer: string, options: Partial<MoveRun> & ToldDemand = {}): Promise<Moved> {
  return withIndex(home, (index) => drain({ ...pruneRun(home, index, options), dryRun: options.dryRun ?? false }, peer));
}

export function rebalanceHome(home: TestHome, options: Partial<MoveRun> & ToldDemand = {}): Promise<Moved> {
  return withIndex(home, (index) => rebalance({ ...pruneRun(home, index, options), dryRun: options.dryRun ?? false }));
}

/** How many of its recorded holders really have each shard and each catalogue, every block of it read. */
export function wholeCopies(home: TestHome): Promise<Map<string, number>> {
  return withIndex(home, async (index) => {
    const copies = new Map<string, number>();
    for (const { cid, peers } of holdingsOf(index)) {
      let whole = 0;
      for (const name of peers) {
        let damage = 0;
        const reader = await home.peers.get(name)?.open(cid);
        if (reader === undefined) continue;
        for await (const _ of reader.scan(() => damage++));
        await reader.close();
        if (damage === 0) whole++;
      }
      copies.set(cid, whole);
    }
    return copies;
  });
}
