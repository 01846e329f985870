/** A disk may be unmounted while a run uses its peer: an empty directory stands there then. */
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readdirSync, renameSync, rmdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { sha256 } from '../../dag/cid.ts';
import { TEST_OWNER } from '../../testing/owner.ts';
import { cidsOf } from '../../testing/peer-reading.ts';
import { makeBlocks, makeShard } from '../../testing/shards.ts';
import { LocalPeer } from './local.ts';

const keep = { mayConsume: false, signal: new AbortController().signal };

for (const layout of ['car', 'blockstore'] as const)
  test(`a disk that is unmounted while its peer is used is silent, and nothing is written where it was (${layout})`, async () => {
    const dir = mkdtempSync(join(tmpdir(), 'shardctl-unmounted-'));
    try {
      const path = join(dir, 'disk');
      const peer = await LocalPeer.create({ owner: TEST_OWNER, name: 'disk', path, layout });
      const blocks = makeBlocks(3, 100);
      const [shard, another] = [makeShard(dir, blocks), makeShard(dir, makeBlocks(3, 200))];
      await peer.put(shard, keep);
      assert.deepEqual([await peer.has(shard.cid), await cidsOf(peer)], [true, [shard.cid]]);
      const [reader, remains] = [await peer.open(shard.cid), await peer.salvage(shard.cid)];
      renameSync(path, `${path}.away`);
      mkdirSync(path);
      // Of a CAR the file is open, which keeps a disk from being unmounted.
      if (layout === 'blockstore')
        for (const its of [reader, remains]) await assert.rejects(its.read(sha256(blocks[0] as Buffer)), { code: 'TOO_FEW_PEERS' });
      for (const its of [reader, remains]) await its.close();
      const uses = {
        has: () => peer.has(shard.cid),
        open: () => peer.open(shard.cid),
        salvage: () => peer.salvage(shard.cid),
        list: () => cidsOf(peer),
        metric: () => peer.metric(),
        put: () => peer.put(another, keep),
        replace: () => peer.put(shard, { ...keep, replace: true }),
        mark: () => peer.mark([another.cid]),
        remove: () => peer.remove(shard.cid),
        owners: () => peer.owners(),
      };
      for (const [name, use] of Object.entries(uses)) await assert.rejects(use, { code: 'TOO_FEW_PEERS' }, name);
      assert.deepEqual(readdirSync(path), []);
      rmdirSync(path);
      renameSync(`${path}.away`, path);
      assert.deepEqual([await peer.has(shard.cid), await cidsOf(peer)], [true, [shard.cid]]);
      await peer.put(another, keep);
    } finally {
      rmSync(dir, { recursive: true, force: true });
    }
  });
