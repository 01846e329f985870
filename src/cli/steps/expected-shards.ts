/** Which shards `verify` looks at, and how many replicas each must have. */
import { leastReplicas, type SnapshotRecord } from '../../core/model.ts';
import { NumberMap } from '../../core/number-map.ts';
import type { Index } from '../../index/index.ts';
import { damagedTables } from '../../index/tables/check.ts';
import type { ExpectedShard } from '../../maintain/verify.ts';
import type { Peer } from '../../peer/peer.ts';
import type { Demands } from '../../storing/demand.ts';

export interface Known {
  readonly index: Index;
  readonly indexDir: string;
  readonly demands: Demands;
  readonly peers: ReadonlyMap<string, Peer>;
}

/**
 * What a follower holds, each shard of the snapshots once, however many of them share it, and the catalogue of each snapshot; read from the
 * tables as it is asked for.
 */
export function expectedShards(
  followed: readonly ExpectedShard[],
  snapshots: readonly SnapshotRecord[],
  { index, indexDir, demands, peers }: Known,
): Iterable<ExpectedShard> {
  const demandOf = demands.ofEach();
  /** All records were there once. This holds no lock, so afterwards other runs may remove some with the snapshots that needed them. */
  let wereThere = false;
  return {
    *[Symbol.iterator]() {
      yield* followed;
      const isMet = new NumberMap();
      for (const number of eachOf(snapshots)) {
        if (isMet.has(number)) continue;
        isMet.set(number, 1);
        const shard = index.shard(number);
        if (shard !== undefined) {
          const { replication } = demandOf({ shards: [number], snapshots: [] });
          yield { ...shard, label: `shard ${number}`, least: leastReplicas(replication, peers) };
        } else if (!wereThere) {
          throw damagedTables(indexDir, indexDir, `has no record of shard ${number}, which a snapshot needs`);
        }
      }
      wereThere = true;
      for (const { repository, number, catalogue } of snapshots) {
        const least = leastReplicas(demands.of([repository]).replication, peers);
        yield { ...catalogue, label: `catalogue of ${repository}@${number}`, least };
      }
    },
  };
}

function* eachOf(snapshots: readonly SnapshotRecord[]): Iterable<number> {
  for (const { shards } of snapshots) yield* shards;
}
