/** A snapshot as `status` and `snapshots` tell of it. */

import { isHeld, type SnapshotRecord } from '../../core/model.ts';
import { NumberMap } from '../../core/number-map.ts';
import type { Index } from '../../index/index.ts';
import { tagsOf } from '../../snapshot/tag.ts';
import type { SnapshotResult } from './results.ts';

/** By a shard's number, on how many peers its record says that it is. Snapshots share most of their shards: each record is read once. */
export function replicaCounts(index: Pick<Index, 'shard'>): (shard: number) => number {
  const known = new NumberMap();
  return (shard) => {
    const before = known.get(shard);
    if (before !== undefined) return before;
    const count = index.shard(shard)?.peers.length ?? 0;
    known.set(shard, count);
    return count;
  };
}

/** @param replicasOf as `replicaCounts` gives it: one for all snapshots that are told of */
export function snapshotResult(
  snapshot: SnapshotRecord,
  index: Pick<Index, 'repository'>,
  replicasOf: (shard: number) => number,
): SnapshotResult {
  const { repository, number, cid, tree, time, counts, bytes, shards } = snapshot;
  const replicas = shards.map(replicasOf);
  // Not spread into the arguments of Math.min: a mirror may have a million shards.
  const record = index.repository(repository);
  return {
    number,
    cid,
    tree,
    time,
    ...counts,
    bytes,
    shards: shards.length,
    replicas: replicas.reduce((a, b) => Math.min(a, b), replicas[0] ?? 0),
    ...(isHeld(snapshot) ? { contradictions: snapshot.gate?.count ?? 0 } : {}),
    ...(record?.published === number ? { published: true as const } : {}),
    tags: tagsOf(record?.tags, number),
  };
}
