import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { appendFileSync, mkdtempSync, readdirSync, rmSync, statSync, truncateSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { BlockTable } from './blocks.ts';

const digestOf = (n: number): Buffer => createHash('sha256').update(String(n)).digest();
const digests = (from: number, to: number): Buffer => Buffer.concat(Array.from({ length: to - from }, (_, i) => digestOf(from + i)));
const any = () => true;
const all = () => new Set(Array.from({ length: 100 }, (_, shard) => shard));

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'shardctl-blocks-'));
});
afterEach(() => rmSync(dir, { recursive: true }));

test('every block is found in its shard and no other block is found, also across merges and a reopening', () => {
  const perShard = 700;
  const shards = 70; // more than eight runs of eight: two tiers
  let table = new BlockTable(dir, false);
  for (let shard = 0; shard < shards; shard++) table.add(shard, digests(shard * perShard, (shard + 1) * perShard), all);
  const check = () => {
    for (let n = 0; n < shards * perShard; n += 13) assert.equal(table.get(digestOf(n), 0, any), Math.floor(n / perShard));
    for (let n = 0; n < 1000; n++) assert.equal(table.get(digestOf(-1 - n), 0, any), undefined);
  };
  check();
  assert.ok(readdirSync(dir).length < 16, 'runs are merged');
  table.close();
  table = new BlockTable(dir, true);
  check();
  table.close();
});

test('a block takes 24 bytes on disk, and little more', () => {
  const table = new BlockTable(dir, false);
  table.add(0, digests(0, 50_000), all);
  table.close();
  const bytes = readdirSync(dir).reduce((sum, name) => sum + statSync(join(dir, name)).size, 0);
  assert.ok(bytes / 50_000 < 24.5, `${bytes / 50_000} bytes a block`);
});

test('a record of a shard that does not count hides no other record of the same block', () => {
  const table = new BlockTable(dir, false);
  for (let shard = 0; shard < 9; shard++) table.add(shard, digests(0, 10), all);
  assert.equal(
    table.get(digestOf(3), 0, (shard) => shard === 5),
    5,
  );
  assert.equal(
    table.get(digestOf(3), 0, (shard) => shard === 8),
    8,
  );
  assert.equal(
    table.get(digestOf(3), 0, () => false),
    undefined,
  );
  table.close();
});

test('half-written runs of a killed run are dropped, and a torn run is refused by name', () => {
  const table = new BlockTable(dir, false);
  table.add(0, digests(0, 1000), all);
  table.close();
  appendFileSync(join(dir, '0000000007.run.tmp'), 'half');
  const reopened = new BlockTable(dir, false);
  assert.equal(reopened.get(digestOf(5), 0, any), 0);
  reopened.close();
  const [run] = readdirSync(dir) as [string];
  assert.equal(readdirSync(dir).length, 1);
  truncateSync(join(dir, run), statSync(join(dir, run)).size - 3);
  assert.throws(() => new BlockTable(dir, false), { code: 'DAMAGE', message: new RegExp(run) });
});
