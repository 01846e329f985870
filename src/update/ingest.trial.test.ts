import assert from 'node:assert/strict';
import { lstatSync, mkdtempSync, renameSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import { sampled } from '../testing/depth.ts';
import { beginEach, tick } from '../testing/each.ts';
import { freshRoot, TestHome } from '../testing/run.ts';
import { applyEdit, edit, writeTree } from '../testing/tree.ts';
import { NO_CTIME } from '../walk/directory.ts';

let dir: string;
let home: TestHome;
beginEach((its, itsHome) => {
  dir = its;
  home = itsHome;
});

test('an add of the same tree makes no snapshot and stores no block', async () => {
  writeTree(dir, { 'a.txt': 'one', sub: { 'b.txt': 'two', empty: {} }, link: { link: 'a.txt' } });
  const first = await home.add(dir);
  const second = await home.add(dir);
  assert.equal(first.summary.unchanged, false);
  assert.equal(second.summary.unchanged, true);
  assert.equal(second.summary.snapshot, first.summary.snapshot);
  assert.equal(second.summary.newBlocks, 0);
  assert.deepEqual([first.summary.files, first.summary.directories, first.summary.symlinks, first.summary.bytes], [2, 3, 1, 6]);
});

test('after any edits, the root of an update is the root of a fresh add', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.array(edit, { minLength: 1, maxLength: 8 }), { minLength: 2, maxLength: 4 }), async (rounds) => {
      const source = mkdtempSync(join(tmpdir(), 'shardctl-law-'));
      const updated = await TestHome.create();
      try {
        for (const edits of rounds) {
          for (const it of edits) applyEdit(source, it);
          const { summary } = await updated.add(source);
          assert.equal(summary.tree, await freshRoot(source));
        }
      } finally {
        updated.remove();
        rmSync(source, { recursive: true, force: true });
      }
    }),
    { numRuns: sampled(2, 25) },
  );
});

test('an add of a changed tree stores only new blocks', async () => {
  const megabyte = Buffer.alloc(1024 * 1024, 'x');
  writeTree(dir, { big: megabyte, sub: { small: 'one', other: 'two' } });
  await tick();
  await home.add(dir);
  writeFileSync(join(dir, 'sub', 'small'), 'three');
  const { summary } = await home.add(dir);
  assert.equal(summary.newFiles, 1);
  // The leaf and root of the file, and the nodes of sub and of the root.
  assert.equal(summary.newBlocks, 4);
  assert.ok(summary.newBytes < 2000, `${summary.newBytes}`);
});

test('a touch of a file stores its root node and the directories above it, and no data', async () => {
  writeTree(dir, { sub: { big: Buffer.alloc(3 * 1024 * 1024 + 5, 'x') } });
  await home.add(dir);
  utimesSync(join(dir, 'sub', 'big'), 1000, 1000);
  const { summary } = await home.add(dir);
  assert.equal(summary.newBlocks, 3);
  assert.ok(summary.newBytes < 1000);
});

test('the same content is stored once, also across shards and repositories', async () => {
  const content = Buffer.alloc(700_000, 'abc');
  writeTree(dir, { a: content, b: { c: content }, d: content });
  const first = await home.add(dir, { shardBytes: 1024 * 1024 });
  assert.ok(first.summary.newBytes < 800_000, `${first.summary.newBytes}`);
  const second = await home.add(dir, { repository: 'other' });
  assert.equal(second.summary.newBlocks, 0);
  assert.equal(second.summary.tree, first.summary.tree);
});

test('the same tree gives the same shards, whatever the workers do first', async () => {
  writeTree(dir, Object.fromEntries(Array.from({ length: 300 }, (_, i) => [`f${i}`, Buffer.alloc((i * 7919) % 60_000, i)])));
  const cids = async () => {
    const other = await TestHome.create();
    const { events } = await other.add(dir, { shardBytes: 1024 * 1024 });
    other.remove();
    return events.flatMap((event) => (event.type === 'sealed' ? [event.cid] : []));
  };
  const first = await cids();
  assert.ok(first.length > 5);
  assert.deepEqual(await cids(), first);
});

test('no shard has more bytes than asked for, and each is on as many peers as asked for', async () => {
  const three = await TestHome.create({ p1: {}, p2: {}, p3: {} });
  writeTree(dir, Object.fromEntries(Array.from({ length: 100 }, (_, i) => [`f${i}`, Buffer.alloc(50_000, i)])));
  const { events } = await three.add(dir, { shardBytes: 1024 * 1024, replication: { min: 2, max: 2 } });
  const placed = events.flatMap((event) => (event.type === 'placed' ? [event] : []));
  assert.ok(placed.length >= 5);
  for (const { bytes, peers } of placed) {
    assert.ok(bytes <= 1024 * 1024);
    assert.equal(new Set(peers).size, 2);
  }
  three.remove();
});

test('a file written in the clock tick of the scan is looked at again by the next run, and only by that', async () => {
  writeTree(dir, { file: 'aaaa' });
  const written = Number(lstatSync(join(dir, 'file'), { bigint: true }).ctimeNs / 1_000_000n);
  await home.add(dir, { now: () => written });
  assert.equal(await racyEntries(), 1);
  await tick();
  assert.equal((await home.add(dir)).summary.unchanged, true);
  assert.equal(await racyEntries(), 0);
});

/** Entries of the head with a ctime that no file has. */
async function racyEntries(): Promise<number> {
  const index = await home.index();
  const entries = index.entries.read('test', 1)?.whole();
  let racy = 0;
  for (let record = entries?.next(); record !== undefined; record = entries?.next())
    racy += record.ctimes.filter((ctime) => ctime === NO_CTIME).length;
  entries?.close();
  await index.close();
  return racy;
}

test('a touched directory makes no snapshot of a tree without metadata', async () => {
  writeTree(dir, { sub: { a: 'one' } });
  await home.add(dir, { metadata: false });
  utimesSync(join(dir, 'sub'), 1000, 1000);
  assert.equal((await home.add(dir, { metadata: false })).summary.unchanged, true);
});

test('a run that finds nothing new remembers where the repository comes from now', async () => {
  writeTree(dir, { a: 'one' });
  await home.add(dir);
  const moved = `${dir}-moved`;
  renameSync(dir, moved);
  assert.equal((await home.add(moved, { metadata: true })).summary.unchanged, true);
  const index = await home.index();
  assert.equal(index.repository('test')?.source, moved);
  await index.close();
  rmSync(moved, { recursive: true });
});
