/** Dies at the Nth write of a drain and of a rebalance: at no moment has a shard fewer whole copies than it must, and a rerun completes it. */
import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { LocalPeer } from '../../peer/local/local.ts';
import { sampled } from '../../testing/depth.ts';
import { killedAtEachWrite } from '../../testing/killed.ts';
import { drainHome, rebalanceHome, wholeCopies } from '../../testing/moving.ts';
import { TEST_OWNER } from '../../testing/owner.ts';
import { assertNoOrphans, assertWhole, pruneHome, SHARD_BYTES } from '../../testing/retention.ts';
import { TestHome } from '../../testing/run.ts';
import { writeTree } from '../../testing/tree.ts';

const TWICE = { replication: { min: 2, max: 2 } };

let dir: string;
/** A home whose shards are all on two of its three peers. */
let template: TestHome;
/** One whose shards are on all three, where two are asked for. */
let full: TestHome;

before(async () => {
  dir = mkdtempSync(join(tmpdir(), 'shardctl-move-crash-'));
  const source = writeTree(
    join(dir, 'source'),
    Object.fromEntries(Array.from({ length: 5 }, (_, i) => [`f${i}`, Buffer.alloc(20_000, `${i}`)])),
  );
  template = await TestHome.create({ one: {}, two: {} });
  await template.add(source, { ...TWICE, shardBytes: SHARD_BYTES });
  await LocalPeer.create({ owner: TEST_OWNER, name: 'three', path: join(template.dir, 'peers', 'three'), layout: 'car' });
  full = await TestHome.create({ one: {}, two: {}, three: {} });
  await full.add(source, { replication: { min: 3, max: 3 }, shardBytes: SHARD_BYTES });
});
after(() => {
  template.remove();
  full.remove();
  rmSync(dir, { recursive: true, force: true });
});

async function dieEverywhere(
  action: string,
  rerun: (home: TestHome) => Promise<unknown>,
  check: (home: TestHome) => Promise<void>,
  from = template,
): Promise<void> {
  const before = await wholeCopies(from);
  const killing = { dir, template: from, peers: ['one', 'two', 'three'], action, step: sampled(151, 3), writes: 15 };
  await killedAtEachWrite(killing, async (home, n) => {
    for (const [cid, copies] of await wholeCopies(home))
      assert.ok(copies >= Math.min(2, before.get(cid) as number), `write ${n}: ${cid} has ${copies}`);
    await rerun(home);
    await assertWhole(home);
    await check(home);
    // A copy that was announced, put and not recorded, on a peer that the rerun did not choose again, is for prune to find.
    await pruneHome(home, TWICE);
    await assertWhole(home);
    await assertNoOrphans(home);
    assert.deepEqual(readdirSync(join(home.dir, 'spool')), []);
    for (const copies of (await wholeCopies(home)).values()) assert.ok(copies >= 2);
  });
}

test('killed at any write of a drain, no shard has a copy less, and a rerun empties the peer', async () => {
  await dieEverywhere(
    'drain',
    (home) => drainHome(home, 'one', TWICE),
    async (home) => {
      const left: string[] = [];
      for await (const cid of home.peers.get('one')?.list() ?? []) left.push(cid);
      assert.deepEqual(left, []);
    },
  );
});

test('killed at any write of a rebalance, no shard has a copy less, and a rerun has the same end', async () => {
  await dieEverywhere(
    'rebalance',
    (home) => rebalanceHome(home, TWICE),
    async (home) => {
      const { copied } = await rebalanceHome(home, { ...TWICE, dryRun: true });
      assert.equal(copied, 0);
    },
  );
});

test('killed at any write while it lets go of what is one too many, every shard keeps two copies, and a rerun has the same end', async () => {
  await dieEverywhere(
    'rebalance',
    (home) => rebalanceHome(home, TWICE),
    async (home) => {
      const { surplus } = await rebalanceHome(home, { ...TWICE, dryRun: true });
      assert.equal(surplus, 0);
    },
    full,
  );
});
