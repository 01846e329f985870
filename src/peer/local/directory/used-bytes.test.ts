import assert from 'node:assert/strict';
import { mkdtempSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { TEST_OWNER } from '../../../testing/owner.ts';
import { makeBlocks, makeShard } from '../../../testing/shards.ts';
import { LocalPeer } from '../local.ts';
import { UsedBytes } from './used-bytes.ts';

for (const layout of ['car', 'blockstore'] as const) {
  test(`layout ${layout}: bytes that could not be added up while the disk was not mounted are added up once it is`, async () => {
    const dir = mkdtempSync(join(tmpdir(), 'shardctl-away-'));
    try {
      const path = join(dir, 'peer');
      await LocalPeer.create({ owner: TEST_OWNER, name: 'disk', path, layout });
      const peer = new LocalPeer({ owner: TEST_OWNER, name: 'disk', path, layout });
      await peer.id();
      renameSync(path, `${path}-away`);
      await assert.rejects(peer.metric());
      const shard = makeShard(dir, makeBlocks(3, 1000));
      const options = { mayConsume: false, signal: new AbortController().signal };
      await assert.rejects(peer.put(shard, options));
      renameSync(`${path}-away`, path);
      assert.equal((await peer.metric()).usedBytes, 0);
      await peer.put(shard, options);
      assert.equal((await peer.metric()).usedBytes, shard.carBytes);
    } finally {
      rmSync(dir, { recursive: true, force: true });
    }
  });
}

test('bytes of any number of shards are added up, those that are gone by then count nothing, and what is put meanwhile counts once', async () => {
  for (const count of [0, 1, 15, 16, 17, 100]) {
    async function* list() {
      for (let i = 0; i < count; i++) yield `cid${i}`;
    }
    const sizeOf = async (cid: string) => (cid === 'cid3' ? undefined : 10);
    const used = new UsedBytes({ list, sizeOf });
    const sum = used.get();
    used.note('cid0', 10);
    used.note('new', 5);
    assert.equal(await sum, 10 * (count - (count > 3 ? 1 : 0)));
    assert.equal(await used.get(), 10 * (Math.max(1, count) - (count > 3 ? 1 : 0)) + 5);
  }
});
