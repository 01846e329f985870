/** How full of shards each peer is, by the records: counted a few at a time, so that others are answered in between. */
import { setImmediate as breathe } from 'node:timers/promises';
import type { MirrorView } from '../mirror.ts';

/** Records that are looked at before others get their turn. */
export const SHARDS_AT_ONCE = 1000;

/** How many shards the records name on each peer, of those that the snapshots need. */
export async function shardsByPeer({ repositories, index }: MirrorView): Promise<Map<string, number>> {
  const counts = new Map<string, number>();
  const seen = new Set<number>();
  let work = 0;
  for (const { snapshots } of repositories.values()) {
    for (const { shards } of snapshots) {
      for (const number of shards) {
        work += 1;
        if (work % SHARDS_AT_ONCE === 0) await breathe();
        if (seen.has(number)) continue;
        seen.add(number);
        for (const peer of index.shard(number)?.peers ?? []) counts.set(peer, (counts.get(peer) ?? 0) + 1);
      }
    }
  }
  return counts;
}
