/** How all shards stand together, and the worst of each head, as `status` tells of them: added up in one look through half a million. */
import type { SnapshotRecord } from '../../core/model.ts';
import { NumberMap } from '../../core/number-map.ts';
import { replicasHeld, type ShardStatus } from '../../maintain/shard-status.ts';
import type { Result } from './results.ts';

export type Replication = Extract<Result, { type: 'replication' }>;

export interface AddedUp {
  readonly total: Replication;
  /** By repository, the fewest peers that hold one of the head's shards now, whatever the index says; absent where the head has none. */
  readonly fewest: ReadonlyMap<string, number>;
}

/** @param heads each repository's, where it has one */
export function addedUp(statuses: Iterable<ShardStatus>, heads: readonly Pick<SnapshotRecord, 'repository' | 'shards'>[]): AddedUp {
  const total = { shards: 0, bytes: 0, atRisk: 0, atRiskBytes: 0, lost: 0, lostBytes: 0, away: 0, awayBytes: 0, damaged: 0 };
  const fewest = new Map<string, number>();
  const needs = heads.map(({ repository, shards }) => ({ repository, needed: numbersOf(shards) }));
  let least: number | undefined;
  for (const shard of statuses) {
    const held = replicasHeld(shard);
    const { bytes } = shard;
    total.shards++;
    total.bytes += bytes;
    least = Math.min(least ?? shard.least, shard.least);
    if (shard.lost !== undefined) total.damaged++;
    if (held < shard.least) {
      total.atRisk++;
      total.atRiskBytes += bytes;
      // Of what is on a peer that does not answer nothing is known, and nothing is lost.
      const isAway = shard.replicas.some(({ state }) => state === 'silent');
      if (held === 0 && isAway) {
        total.away++;
        total.awayBytes += bytes;
      } else if (held === 0) {
        total.lost++;
        total.lostBytes += bytes;
      }
    }
    for (const { repository, needed } of needs)
      if (shard.shards.some((number) => needed.has(number))) fewest.set(repository, Math.min(fewest.get(repository) ?? held, held));
  }
  return { total: { type: 'replication', least: least ?? 1, ...total }, fewest };
}

function numbersOf(shards: readonly number[]): NumberMap {
  const numbers = new NumberMap();
  for (const number of shards) numbers.set(number, 1);
  return numbers;
}
