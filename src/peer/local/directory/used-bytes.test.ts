import assert from 'node:assert/strict';
import { mkdtempSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { TEST_OWNER } from '../../../testing/owner.ts';
import { makeBlocks, makeShard } from '../../../testing/shards.ts';
import { LocalPeer } from '../local.ts';

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
