import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import type { SnapshotRecord } from '../../core/model.ts';
import type { Index } from '../../index/index.ts';
import { placedBlocks } from '../../read/blocks/placed-blocks.ts';
import { lose, unname } from '../../testing/breaking.ts';
import { beginEach } from '../../testing/each.ts';
import { assertWhole, pruneHome, pruneRun, SHARD_BYTES, snapshotsOf, withIndex } from '../../testing/retention.ts';
import type { TestHome } from '../../testing/run.ts';
import { writeTree } from '../../testing/tree.ts';
import { assertCopied, assertKept, type Leaving } from './second-look.ts';

let dir: string;
let home: TestHome;
beginEach((source, fresh) => {
  [dir, home] = [source, fresh];
});

const content = (seed: number) => Buffer.alloc(30_000, `${seed} `);

/** Four shards: the first with two files, of which the second snapshot needs one; the last with the directory. */
async function addTwice(): Promise<void> {
  writeTree(dir, { d: Object.fromEntries([0, 1, 2, 3].map((i) => [`f${i}`, content(i)])) });
  await home.add(dir, { shardBytes: SHARD_BYTES });
  writeFileSync(join(dir, 'more'), 'more');
  await home.add(dir, { shardBytes: SHARD_BYTES });
}

async function held(): Promise<string[]> {
  const cids: string[] = [];
  for (const peer of home.peers.values()) for await (const cid of peer.list()) cids.push(cid);
  return cids.sort();
}

const NAMED = { code: 'DAMAGE', message: /test@1 needs .*baf[yk].*nothing is removed/, hint: /shardctl verify/ };

test('a prune that would take a shard that a tree needs refuses, says of which snapshot and block, and removes nothing', async () => {
  await addTwice();
  const before = await withIndex(home, async (index) => snapshotsOf(index));
  const cids = await held();
  for (const shard of before[0]?.shards ?? []) {
    await unname(home, shard);
    await assert.rejects(pruneHome(home), NAMED, `shard ${shard}`);
    await assert.rejects(pruneHome(home, { dryRun: true }), NAMED, `shard ${shard}, dry run`);
    assert.deepEqual(await held(), cids);
    await withIndex(home, (index) => index.replaceSnapshots(before, []));
  }
  await assertWhole(home);
});

test('a tree that lacks a block already keeps a prune from removing anything', async () => {
  await addTwice();
  const [first] = await withIndex(home, async (index) => snapshotsOf(index)[0]?.shards ?? []);
  await lose(home, first ?? 0);
  const cids = await held();
  await assert.rejects(pruneHome(home), NAMED);
  assert.deepEqual(await held(), cids);
});

/** The second look with whatever `reachable.ts` might have said. */
async function look<T>(work: (look: (leaving: Leaving) => ReturnType<typeof assertKept>, snapshots: SnapshotRecord[], index: Index) => T) {
  await addTwice();
  return await withIndex(home, async (index) => {
    const blocks = placedBlocks(index, home.peers);
    const snapshots = snapshotsOf(index);
    try {
      return await work((leaving) => assertKept(pruneRun(home, index), snapshots, leaving, blocks), snapshots, index);
    } finally {
      await blocks.close();
    }
  });
}

test('a shard that is called dead and is needed is seen, and so is a block of a thin one that was not copied', async () => {
  await look(async (kept, snapshots, index) => {
    const none = new Set<number>();
    const [first = 0, ...others] = snapshots[0]?.shards ?? [];
    await assert.rejects(kept({ dead: new Set([first]), thin: none }), NAMED);
    assert.equal((await kept({ dead: none, thin: none })).size, 0);
    const leaving = { dead: none, thin: new Set([first]) };
    const toCopy = await kept(leaving);
    assert.deepEqual([...toCopy.keys()], [first]);
    const after = new Map(snapshots.map((snapshot) => [snapshot, snapshot.shards.filter((number) => number !== first)]));
    assert.throws(() => assertCopied({ index }, toCopy, after, leaving), NAMED);
    const [dropped = 0] = others;
    const fewer = new Map([...after].map(([snapshot, shards]) => [snapshot, shards.filter((number) => number !== dropped)]));
    assert.throws(() => assertCopied({ index }, new Map(), fewer, leaving), { code: 'DAMAGE', message: /test@1 needs what shard/ });
  });
});

test('blocks of a thin shard that a staying shard of the same snapshot holds as well need no copy', async () => {
  await look(async (kept, snapshots, index) => {
    const [first = 0, second = 0] = snapshots[0]?.shards ?? [];
    const leaving = { dead: new Set<number>(), thin: new Set([first]) };
    const toCopy = await kept(leaving);
    index.relist(second, toCopy.get(first)?.digests() ?? Buffer.alloc(0));
    assert.equal((await kept(leaving)).size, 0);
  });
});
