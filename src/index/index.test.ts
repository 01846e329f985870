import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { open } from 'lmdb';
import { DigestMap } from '../core/digest-map.ts';
import type { RepositoryRecord, ShardRecord, SnapshotRecord } from '../core/model.ts';
import { INDEX_FORMAT } from './format.ts';
import { Index } from './index.ts';
import { MOST_CACHED_SHARDS, readHeadCache } from './tables/head-cache.ts';

let dir: string;
let index: Index;
beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), 'shardctl-index-'));
  index = await Index.open(dir);
});
afterEach(async () => {
  await index.close();
  rmSync(dir, { recursive: true });
});

const shard = (number: number): ShardRecord => ({
  number,
  cid: `cid${number}`,
  bytes: 10,
  blocks: 1,
  dagSize: 20,
  carBytes: 100,
  state: 'placed',
  peers: ['local'],
});
const snapshot = (number: number, shards: number[]): SnapshotRecord => ({
  repository: 'r',
  number,
  cid: `snapshot${number}`,
  tree: 'tree',
  parent: null,
  time: '2026-01-01T00:00:00.000Z',
  counts: { files: 1, directories: 1, symlinks: 0 },
  bytes: 1,
  shards,
  catalogue: { cid: 'catalogue', bytes: 1, blocks: 1, carBytes: 1, peers: [] },
  profile: 'unixfs-v1-2025',
  metadata: true,
  tool: 'shardctl test',
});
const repository = (head: number): RepositoryRecord => ({
  name: 'r',
  source: '/r',
  head,
  profile: 'unixfs-v1-2025',
  chunker: undefined,
  metadata: true,
  filters: [],
});
const digest = createHash('sha256').update('block').digest();
function digests(): DigestMap {
  const map = new DigestMap();
  map.add(digest, 0, 1);
  return map;
}

test('a shard number is given out once, also after a reopening, and number 0 counts', async () => {
  assert.equal(index.nextShardNumber(), 0);
  for (const expected of [0, 1, 2]) {
    assert.equal(index.nextShardNumber(), expected);
    await index.addPlaced(shard(expected), digests());
    await index.close();
    index = await Index.open(dir);
  }
  assert.equal(index.nextShardNumber(), 3);
  assert.deepEqual(
    [...index.shards()].map(({ number }) => number),
    [0, 1, 2],
  );
});

test('a block is found only in a shard that is recorded as placed', async () => {
  assert.equal(index.shardOf(digest), undefined);
  await index.addPlaced(shard(0), digests());
  assert.equal(index.shardOf(digest), 0);
});

test('a commit changes head, snapshot and shard states together', async () => {
  await index.addPlaced(shard(0), digests());
  index.entries.write('r', 1, { rootMode: 0o755, rootMtime: 0n }, () => false).finish();
  await index.commit(repository(1), snapshot(1, [0]));
  assert.equal(index.shard(0)?.state, 'committed');
  assert.equal(index.repository('r')?.head, 1);
  assert.deepEqual(index.snapshots('r'), [snapshot(1, [0])]);
  assert.equal(index.snapshot('r', 2), undefined);
});

test('a snapshot that needs more shards than a head cache may have is read from the tables, and no head cache is left', async () => {
  const shards = Array.from({ length: MOST_CACHED_SHARDS + 1 }, (_, number) => number);
  await index.updateShards(shards.slice(1).map(shard));
  await index.commit(repository(1), snapshot(1, shards.slice(1)));
  await index.close();
  assert.notEqual(readHeadCache(dir, INDEX_FORMAT), undefined);
  index = await Index.open(dir);
  await index.updateShards([shard(0)]);
  await index.commit(repository(2), snapshot(2, shards));
  await index.close();
  assert.equal(readHeadCache(dir, INDEX_FORMAT), undefined);
  index = await Index.open(dir, { readOnly: true });
  assert.equal(index.snapshot('r', 2)?.shards.length, shards.length);
  assert.equal(index.shard(MOST_CACHED_SHARDS)?.state, 'committed');
});

test('a snapshot that is forgotten takes its tags along', async () => {
  for (const number of [1, 2, 3]) {
    index.entries.write('r', number, { rootMode: 0o755, rootMtime: 0n }, () => false).finish();
    await index.commit({ ...repository(number), tags: { old: 1, tested: 2, also: 1 } }, snapshot(number, []));
  }
  await index.forget('r', [1]);
  assert.deepEqual(index.repository('r')?.tags, { tested: 2 });
  await index.forget('r', [2]);
  assert.deepEqual({ ...index.repository('r'), chunker: undefined }, repository(3));
});

test('of publish and forget, halted between what they decide and what they write, the one that writes first has its way', async () => {
  for (const number of [1, 2, 3]) {
    index.entries.write('r', number, { rootMode: 0o755, rootMtime: 0n }, () => false).finish();
    await index.commit({ ...repository(number), published: 1 }, snapshot(number, []));
  }
  const asPublishRead = index.repository('r') as RepositoryRecord;
  // `forget` decided on 1 and 2 before `publish NAME@2` wrote that it is about to move the name from 1 to 2.
  assert.equal(await index.relyOn({ ...asPublishRead, publishing: [2] }, 2), true);
  assert.deepEqual(await index.forget('r', [1, 2]), [1, 2]);
  assert.equal(index.snapshots('r').length, 3);
  // The other way round: it wrote before, and `publish NAME@2` finds that out when it writes.
  await index.saveRepository(asPublishRead);
  assert.deepEqual(await index.forget('r', [1, 2]), [1]);
  assert.equal(await index.relyOn({ ...asPublishRead, publishing: [2] }, 2), false);
  assert.deepEqual(index.repository('r'), asPublishRead);
});

test('where there is no index, the first `add` makes it, and where one died that was to make it, the next', async () => {
  const hintFor = (path: string, hint: string) => assert.rejects(Index.open(path, { readOnly: true }), { code: 'NOT_FOUND', hint });
  const never = join(dir, 'never');
  await hintFor(never, 'run `shardctl add DIR` first');
  mkdirSync(never);
  await hintFor(never, 'run `shardctl add DIR` again');
});

test('an index of a newer format is refused', async () => {
  await index.close();
  const root = open({ path: join(dir, 'tables'), maxDbs: 8 });
  await root.openDB({ name: 'meta', encoding: 'json' }).put('format', INDEX_FORMAT + 1);
  await root.close();
  // A newer shardctl drops what it did not write.
  rmSync(join(dir, 'standing.json'));
  await assert.rejects(Index.open(dir), { code: 'NEWER_FORMAT' });
  rmSync(dir, { recursive: true });
  index = await Index.open(dir);
});

test('readers are told that there is no index yet, wherever the run that makes its tables has died', async () => {
  const tables = ['repositories', 'snapshots', 'meta', 'shards', 'strays'];
  for (let made = 0; made <= tables.length; made++) {
    const home = join(dir, `made-${made}`);
    const root = open({ path: join(home, 'tables'), maxDbs: 8 });
    for (const name of tables.slice(0, made)) root.openDB({ name, encoding: 'json' });
    await root.close();
    await assert.rejects(
      Index.open(home, { readOnly: true }),
      { code: 'NOT_FOUND', hint: 'run `shardctl add DIR` again' },
      `${made} tables`,
    );
    await (await Index.open(home)).close();
    await (await Index.open(home, { readOnly: true })).close();
  }
});
