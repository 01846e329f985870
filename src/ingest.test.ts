import assert from 'node:assert/strict';
import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import type { Event } from './events.ts';
import { type Ran, TestHome } from './testing/run.ts';
import { applyEdit, edit, writeTree } from './testing/tree.ts';

let dir: string;
let home: TestHome;
beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), 'shardctl-source-'));
  home = await TestHome.create();
});
afterEach(() => {
  home.remove();
  rmSync(dir, { recursive: true, force: true });
});

/** The root that the tree has in an empty home. */
async function freshRoot(source: string): Promise<string> {
  const fresh = await TestHome.create();
  try {
    return (await fresh.add(source)).summary.tree;
  } finally {
    fresh.remove();
  }
}

/** Lets the clock move on, so that what was just written is not racy. */
const tick = () => new Promise((resolve) => setTimeout(resolve, 30));

const problems = ({ events }: Ran) => events.filter((event) => event.type === 'entry');

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
    { numRuns: 25 },
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

test('a file that vanishes before it is read is left out, named, and the rest is committed', async () => {
  writeTree(dir, { gone: 'x', stays: 'y' });
  const ran = await home.add(dir, {}, (event: Event) => {
    if (event.type === 'scan') rmSync(join(dir, 'gone'), { force: true });
  });
  assert.deepEqual(
    problems(ran).map((event) => [event.problem, event.path]),
    [['vanished', 'gone']],
  );
  assert.equal(ran.summary.files, 1);
  rmSync(join(dir, 'gone'), { force: true });
  assert.equal((await home.add(dir)).summary.tree, await freshRoot(dir));
});

test('a file that changes between its scan and its reading is read again, and the root is that of the new content', async () => {
  writeTree(dir, { file: 'before', big: Buffer.alloc(3_000_000, 'b') });
  let changed = false;
  const ran = await home.add(dir, {}, (event: Event) => {
    if (event.type !== 'scan' || changed) return;
    changed = true;
    writeFileSync(join(dir, 'file'), 'afterwards');
    writeFileSync(join(dir, 'big'), Buffer.alloc(2_000_000, 'c'));
  });
  assert.deepEqual(problems(ran), []);
  assert.equal(ran.summary.bytes, 2_000_010);
  assert.equal(ran.summary.tree, await freshRoot(dir));
});

test('a file written in the clock tick of the scan is looked at again by the next run, and only by that', async () => {
  writeTree(dir, { file: 'aaaa' });
  await home.add(dir);
  assert.equal(await racyEntries(), 1);
  await tick();
  assert.equal((await home.add(dir)).summary.unchanged, true);
  assert.equal(await racyEntries(), 0);
});

/** Entries of the head with a ctime that no file has. */
async function racyEntries(): Promise<number> {
  const index = await home.index();
  const entries = index.readEntries('test', 1);
  let racy = 0;
  for (let record = entries?.next(); record !== undefined; record = entries?.next())
    racy += record.ctimes.filter((ctime) => ctime === 0n).length;
  entries?.close();
  await index.close();
  return racy;
}

test('an unreadable file or directory is named and the parent’s version stays', async (t) => {
  if (!canBeNobody()) return t.skip('needs root, to become somebody who may not read everything, in a place that everybody may read');
  writeTree(dir, { secret: 'one', open: 'two', closed: { inner: { deep: 'three' }, more: 'four' } });
  chmodSync(dir, 0o755);
  const first = await home.add(dir);
  chmodSync(join(dir, 'secret'), 0);
  chmodSync(join(dir, 'closed'), 0);
  writeFileSync(join(dir, 'open'), 'changed');
  const ran = await asNobody(() => home.add(dir, { metadata: true }));
  assert.deepEqual(
    problems(ran)
      .map((event) => [event.problem, event.path])
      .sort(),
    [
      ['unreadable', 'closed'],
      ['unreadable', 'secret'],
    ],
  );
  assert.equal(ran.summary.files, first.summary.files);
  assert.equal(ran.summary.bytes, first.summary.bytes + 4);
  chmodSync(join(dir, 'secret'), 0o644);
  chmodSync(join(dir, 'closed'), 0o755);
  writeFileSync(join(dir, 'closed', 'more'), 'five');
  assert.equal((await home.add(dir)).summary.tree, await freshRoot(dir));
});

test('what is in a directory that can be listed and not searched stays as the parent has it', async (t) => {
  if (!canBeNobody()) return t.skip('needs root, to become somebody who may not read everything, in a place that everybody may read');
  writeTree(dir, { closed: { inner: { deep: 'three' }, more: 'four', zone: { last: 'five' } }, open: 'two' });
  chmodSync(dir, 0o755);
  const first = await home.add(dir);
  chmodSync(join(dir, 'closed'), 0o744);
  const ran = await asNobody(() => home.add(dir, { maxDelete: { entries: 0 } }));
  assert.deepEqual([ran.summary.files, ran.summary.directories], [first.summary.files, first.summary.directories]);
  chmodSync(join(dir, 'closed'), 0o755);
  writeFileSync(join(dir, 'closed', 'more'), 'changed');
  const again = (await home.add(dir)).summary;
  assert.deepEqual([again.newFiles, again.tree], [1, await freshRoot(dir)]);
});

function canBeNobody(): boolean {
  if (process.getuid?.() !== 0) return false;
  process.seteuid?.(65534);
  try {
    readFileSync(fileURLToPath(import.meta.url));
    return true;
  } catch {
    return false;
  } finally {
    process.seteuid?.(0);
  }
}

/** Root may read everything, so the rule shows only as somebody else. */
async function asNobody<T>(work: () => Promise<T>): Promise<T> {
  for (const path of [home.dir, ...(readdirSync(home.dir, { recursive: true }) as string[]).map((name) => join(home.dir, name))]) {
    chmodSync(path, 0o777);
  }
  process.seteuid?.(65534);
  try {
    return await work();
  } finally {
    process.seteuid?.(0);
  }
}
