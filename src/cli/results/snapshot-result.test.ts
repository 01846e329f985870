import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ShardRecord, SnapshotRecord } from '../../core/model.ts';
import { replicaCounts, snapshotResult } from './snapshot-result.ts';

test('of snapshots that share their shards each record is read once, and each snapshot has as many replicas as its worst shard', () => {
  const asked: number[] = [];
  const peers = [['a', 'b'], ['a', 'b', 'c'], ['a']];
  const shard = (number: number) => {
    asked.push(number);
    return { peers: peers[number] } as unknown as ShardRecord;
  };
  const replicasOf = replicaCounts({ shard });
  const replicas = [[0, 1], [1, 0], [0, 1, 2], []].map((shards, number) => {
    const snapshot = { repository: 'r', number, counts: {}, shards } as unknown as SnapshotRecord;
    return snapshotResult(snapshot, { repository: () => undefined }, replicasOf).replicas;
  });
  assert.deepEqual(replicas, [2, 2, 1, 0]);
  assert.deepEqual(asked, [0, 1, 2]);
});
