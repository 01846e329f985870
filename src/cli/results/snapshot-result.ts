/** A snapshot as `status` and `snapshots` tell of it. */

import { isHeld, type SnapshotRecord } from '../../core/model.ts';
import type { Index } from '../../index/index.ts';
import { tagsOf } from '../../snapshot/tag.ts';
import type { SnapshotResult } from './results.ts';

export function snapshotResult(snapshot: SnapshotRecord, index: Index): SnapshotResult {
  const { repository, number, cid, tree, time, counts, bytes, shards } = snapshot;
  const replicas = shards.map((shard) => index.shard(shard)?.peers.length ?? 0);
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
