import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { sha256 } from '../../dag/cid.ts';
import { Index } from '../../index/index.ts';
import { KuboPeer } from '../../peer/kubo/kubo.ts';
import { onlyInAll } from '../../testing/depth.ts';
import { KuboDaemon, requireKubo } from '../../testing/kubo.ts';
import { TEST_OWNER } from '../../testing/owner.ts';
import { TestHome } from '../../testing/run.ts';
import { carPath, everythingIn, joined, MANY } from '../../testing/stored-home.ts';
import { Replicas } from './replicas.ts';
import { StoredBlocks } from './stored-blocks.ts';

test('from a Kubo comes every block, and each shard as the very CAR that a local peer has', { skip: onlyInAll() }, async (t) => {
  if (!requireKubo(t)) return;
  const dir = mkdtempSync(join(tmpdir(), 'shardctl-on-kubo-'));
  const daemon = await KuboDaemon.start(join(dir, 'ipfs'));
  const home = await TestHome.create();
  const kubo = new KuboPeer({ name: 'kubo', url: daemon.url, id: daemon.repo.text(['id', '-f', '<id>']), owner: TEST_OWNER });
  t.after(async () => {
    await kubo.close();
    await daemon.stop();
    home.remove();
    rmSync(dir, { recursive: true, force: true });
  });
  const source = join(dir, 'source');
  mkdirSync(source);
  for (let i = 0; i < MANY; i++) writeFileSync(join(source, `${i}`), `file ${i}`);
  writeFileSync(join(source, 'large'), Buffer.alloc(3_000_000, 'a large file '));
  home.peers.set('kubo', kubo);
  await home.add(source, { replication: { min: 2, max: 2 } });

  const index = await Index.open(join(home.dir, 'index'), { readOnly: true });
  const replicas = new Replicas({ peers: new Map([['kubo', kubo]]) });
  const blocks = new StoredBlocks({ index, replicas });
  const held = await everythingIn({ index, home });
  // Backwards, so that the nodes come before anything has opened their shards.
  for (const { digest } of held.toReversed()) {
    assert.deepEqual(Buffer.from(sha256(await blocks.read(digest))), Buffer.from(digest));
    assert.ok(await blocks.placeOf(digest));
  }
  for (const cid of new Set(held.map((block) => block.cid))) {
    const file = readFileSync(carPath(home, 'local', cid));
    const car = await blocks.carOf(cid);
    assert.ok(car && file.equals(await joined(car.stream())));
    assert.ok(file.subarray(100, 5000).equals(await joined(car.stream(100, 5000))));
  }
  await blocks.close();
  await replicas.close();
  await index.close();
});
