import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Index } from '../../index/index.ts';
import { StorageStats } from './storage-stats.ts';

const DAY_MS = 86_400_000;
const NOW = Date.parse('2026-11-27T00:00:00Z');

/** Snapshots of so many days ago, each with a shard of its own and all before it; a shard has ten times as many bytes as its number. */
function statsOf(...daysAgo: number[]) {
  const snapshots = daysAgo.map((days, at) => ({
    repository: 'debian',
    number: at + 1,
    time: new Date(NOW - days * DAY_MS).toISOString(),
    bytes: 1000,
    shards: Array.from({ length: at + 1 }, (_, number) => number + 1),
    catalogue: { cid: `catalogue ${at}`, bytes: 0, blocks: 1, carBytes: 0, peers: [] },
  }));
  const shards = daysAgo.map((_, at) => ({ number: at + 1, cid: `${at}`, state: 'placed', bytes: 10 * (at + 1), carBytes: 0, peers: [] }));
  const index = {
    repositories: () => [{ name: 'debian' }],
    eachSnapshot: () => snapshots,
    snapshots: () => snapshots,
    shards: () => shards,
  };
  const { grownBytes, grownSince } = new StorageStats(index as unknown as Index, NOW).of(['debian']);
  return [grownBytes, grownSince.slice(0, 10)];
}

test('growth is what the snapshots of thirty days have added', () => {
  assert.deepEqual(statsOf(100, 31, 29, 1), [30 + 40, '2026-10-28']);
  assert.deepEqual(statsOf(100, 31), [0, '2026-10-28']);
});

test('where no snapshot is kept that is as old, growth begins at the oldest, which has grown from nobody knows what', () => {
  assert.deepEqual(statsOf(20, 10, 5), [20 + 30, '2026-11-07']);
  assert.deepEqual(statsOf(1), [0, '2026-11-26']);
});
