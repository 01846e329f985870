import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import type { ShardRecord } from '../../core/model.ts';
import { dropHeadCache, type HeadCache, readHeadCache, writeHeadCache } from './head-cache.ts';

const FORMAT = 3;
const shard: ShardRecord = {
  number: 2 ** 20,
  cid: 'cid',
  bytes: 2 ** 40,
  blocks: 1,
  dagSize: 20,
  carBytes: 100,
  state: 'committed',
  peers: ['näme', '"quoted"'],
};
const cache: HeadCache = { format: FORMAT, repositories: [], snapshots: [], shards: new Map([[shard.number, shard]]) };

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'shardctl-head-cache-'));
  writeHeadCache(dir, cache);
});
afterEach(() => rmSync(dir, { recursive: true }));

test('what is read is what was written; of another format it is as good as none', () => {
  assert.deepEqual(readHeadCache(dir, FORMAT), cache);
  assert.equal(readHeadCache(dir, FORMAT + 1), undefined);
  assert.deepEqual(readdirSync(dir), ['standing.json']);
});

test('once dropped it is gone, and to drop it again is nothing', () => {
  dropHeadCache(dir);
  assert.equal(readHeadCache(dir, FORMAT), undefined);
  dropHeadCache(dir);
});

test('with any bit flipped, or cut anywhere, it is as good as none, or says the same', () => {
  const path = join(dir, 'standing.json');
  const good = readFileSync(path);
  for (let bit = 0; bit < good.length * 8; bit++) {
    const bytes = Buffer.from(good);
    bytes[bit >> 3] = bytes.readUInt8(bit >> 3) ^ (1 << (bit & 7));
    writeFileSync(path, bytes);
    const read = readHeadCache(dir, FORMAT);
    if (read !== undefined) assert.deepEqual(read, cache, `bit ${bit}`);
  }
  for (let length = 0; length < good.length; length++) {
    writeFileSync(path, good.subarray(0, length));
    assert.equal(readHeadCache(dir, FORMAT), undefined, `${length} bytes`);
  }
});
