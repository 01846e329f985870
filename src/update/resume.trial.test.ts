/** What an interrupted run has imported and placed is neither read nor stored again, and nothing else is believed. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { chmodSync, cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { toBytes } from '../core/path-bytes.ts';
import { sha256 } from '../dag/cid.ts';
import { profileOf } from '../dag/cid-profile.ts';
import { oneIn, sampled } from '../testing/depth.ts';
import { freshRoot, type RunOptions, TestHome } from '../testing/run.ts';
import { writeTree } from '../testing/tree.ts';
import { treeRoot } from '../testing/tree-root.ts';

const sample = oneIn(6);

const CHILD = fileURLToPath(new URL('../testing/crash-child.js', import.meta.url));
const FAULT = new URL('../testing/fault.js', import.meta.url).href;
const OPENED = new URL('../testing/opened.js', import.meta.url).href;
const KIB = 1024;
/** As `crash-child` has them. */
const PEERS = ['one', 'two'];
const OPTIONS = { shardBytes: 48 * KIB, replication: { min: 2, max: 2 } };

let dir: string;
let source: string;
let home: TestHome;
beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), 'shardctl-resume-'));
  source = join(dir, 'source');
  home = await TestHome.create({ one: {}, two: {} });
});
afterEach(() => {
  home.remove();
  rmSync(dir, { recursive: true, force: true });
});

/** Files of 5 to 29 KiB, 12 in each of three directories, and a symlink. What was just written would be racy, so the clock moves on. */
async function writeFiles(more: Parameters<typeof writeTree>[1] = {}): Promise<string[]> {
  const files = (letter: string) =>
    Object.fromEntries(Array.from({ length: 12 }, (_, i) => [`${letter}${i}`, Buffer.alloc((5 + ((i * 7) % 25)) * KIB, `${letter}${i}`)]));
  writeTree(source, { ...files('m'), a: { ...files('a'), link: { link: 'a1' } }, z: { y: files('z') }, ...more });
  await sleep(50);
  return (readdirSync(source, { recursive: true, withFileTypes: true }) as { isFile(): boolean; parentPath: string; name: string }[])
    .filter((entry) => entry.isFile())
    .map(({ parentPath, name }) => join(parentPath, name));
}

/** Stops a run in this process when it has placed as many shards. */
async function interruptAfter(shards: number, options: RunOptions = {}): Promise<void> {
  const stop = new AbortController();
  let placed = 0;
  const run = home.add(source, { ...OPTIONS, ...options, signal: stop.signal }, ({ type }) => {
    if (type === 'placed' && ++placed === shards) stop.abort(new Error('stopped'));
  });
  await assert.rejects(run, /stopped/);
}

/** Those of the files of which every block is in a placed shard. */
async function placedFiles(at: TestHome, files: readonly string[]): Promise<string[]> {
  const index = await at.index();
  try {
    const placed: string[] = [];
    for (const file of files) {
      let isPlaced = true;
      const emit = (block: Buffer) => {
        const digest = sha256(block);
        isPlaced &&= index.shardOf(digest) !== undefined;
        return digest;
      };
      await treeRoot(toBytes(file), { profile: profileOf('unixfs-v1-2025'), metadata: true, emit });
      if (isPlaced) placed.push(file);
    }
    return placed;
  } finally {
    await index.close();
  }
}

/** Runs in a process of its own; the files that it opened. */
function runChild(at: TestHome, fault?: string): { opened: string[]; killed: boolean } {
  const list = join(dir, 'opened');
  writeFileSync(list, '');
  const env = { ...process.env, SHARDCTL_OPENED: list, SHARDCTL_OPENED_BELOW: source, ...(fault && { SHARDCTL_FAULT: fault }) };
  const preload = ['--import', OPENED, ...(fault === undefined ? [] : ['--import', FAULT])];
  const { status, signal, stderr } = spawnSync(process.execPath, [...preload, CHILD, at.dir, source], { env, encoding: 'utf8' });
  assert.ok(signal === 'SIGKILL' || status === 0, stderr);
  return { opened: readFileSync(list, 'utf8').split('\n').slice(0, -1), killed: signal !== null };
}

test('killed anywhere, and once more, a rerun opens no file whose shards were placed, and comes to the root of a fresh add', {
  skip: sample(),
}, async () => {
  const large = Buffer.alloc(2.5 * KIB * KIB);
  for (let i = 0; i < large.length; i += 4) large.writeUInt32LE(i, i);
  const files = await writeFiles({ large, zz: { copy: Buffer.alloc(5 * KIB, 'a0') } });
  const copy = join(source, 'zz', 'copy');
  const expected = await freshRoot(source);
  let mostPlaced = 0;
  for (let n = 25, killed = true; killed; n += sampled(710, 71)) {
    const path = join(dir, `home-${n}`);
    cpSync(home.dir, path, { recursive: true });
    const at = TestHome.at(path, PEERS);
    const first = runChild(at, `kill:${n}`);
    killed = first.killed;
    let isCopyRead = first.opened.includes(copy);
    for (const fault of [`kill:${n >> 1}`, undefined]) {
      const placed = new Set(await placedFiles(at, files));
      mostPlaced = Math.max(mostPlaced, placed.size);
      // What it is a copy of may have been placed before a run came to it.
      if (!isCopyRead) placed.delete(copy);
      const { opened } = runChild(at, killed ? fault : undefined);
      isCopyRead ||= opened.includes(copy);
      assert.deepEqual(
        opened.filter((file) => placed.has(file)),
        [],
        `write ${n}, then ${fault}`,
      );
    }
    const { summary } = await at.add(source, OPTIONS);
    assert.deepEqual([summary.tree, summary.unchanged, await at.damage()], [expected, true, []], `write ${n}`);
    at.remove();
  }
  assert.ok(mostPlaced > 20, `at most ${mostPlaced} files were placed`);
});

test('a resumed run says how many files it had from the run before, and its commit leaves nothing pending', {
  skip: sample(),
}, async () => {
  const files = await writeFiles();
  await interruptAfter(6);
  const placed = await placedFiles(home, files);
  assert.ok(placed.length >= 6);
  const { summary } = await home.add(source, OPTIONS);
  assert.deepEqual([summary.resumedFiles, summary.newFiles], [placed.length, files.length]);
  assert.equal(summary.tree, await freshRoot(source));
  assert.equal(existsSync(join(home.dir, 'index', 'pending', 'test')), false);
  assert.deepEqual(await home.damage(), []);
});

test('a run that imports nothing makes no file for what is pending', { skip: sample() }, async () => {
  await writeFiles();
  await home.add(source, OPTIONS);
  rmSync(join(home.dir, 'index', 'pending'), { recursive: true, force: true });
  assert.equal((await home.add(source, OPTIONS)).summary.unchanged, true);
  assert.equal(existsSync(join(home.dir, 'index', 'pending')), false);
});

test('what changed since the interrupted run is read again, and so is what was racy then', { skip: sample() }, async () => {
  const files = await writeFiles();
  const now = Date.now;
  await interruptAfter(6);
  const [first, second] = await placedFiles(home, files);
  writeFileSync(first as string, 'other');
  chmodSync(second as string, 0o600);
  const { summary } = await home.add(source, OPTIONS);
  assert.equal(summary.tree, await freshRoot(source));
  home.remove();
  home = await TestHome.create({ one: {}, two: {} });
  // By this clock every file was written while the scan went on.
  await interruptAfter(6, { now: () => now() - 60_000 });
  assert.equal((await home.add(source, OPTIONS)).summary.resumedFiles, 0);
});

test('pending entries of another source, profile or kind of tree are not believed', { skip: sample() }, async () => {
  await writeFiles();
  await interruptAfter(6);
  const elsewhere = join(dir, 'elsewhere');
  cpSync(source, elsewhere, { recursive: true, preserveTimestamps: true });
  const before = cpHome();
  for (const [from, options] of [
    [elsewhere, {}],
    [source, { profile: profileOf('unixfs-v0-2015') }],
    [source, { metadata: false }],
    [source, { trust: { ignoreCtime: false, ignoreInode: false, checksum: true } }],
  ] as const) {
    const at = cpHome(before);
    const { summary } = await at.add(from, { ...OPTIONS, ...options });
    assert.equal(summary.resumedFiles, 0);
    assert.deepEqual(await at.damage(), []);
    at.remove();
  }
  before.remove();
});

/** A copy of a home, with the same peers. */
function cpHome(from: TestHome = home): TestHome {
  const path = mkdtempSync(join(tmpdir(), 'shardctl-home-'));
  cpSync(from.dir, path, { recursive: true });
  return TestHome.at(path, PEERS);
}

test('what a peer has lost since is imported again', { skip: sample() }, async () => {
  const files = await writeFiles();
  const options = { ...OPTIONS, replication: { min: 1, max: 1 } };
  await interruptAfter(6, options);
  const placed = await placedFiles(home, files);
  const shards = join(home.dir, 'peers', 'one', 'shards');
  for (const folder of readdirSync(shards)) rmSync(join(shards, folder), { recursive: true });
  const { summary } = await home.add(source, options);
  assert.ok(summary.resumedFiles > 0 && summary.resumedFiles < placed.length, `${summary.resumedFiles} of ${placed.length}`);
  assert.equal(summary.tree, await freshRoot(source));
  assert.deepEqual(await home.damage(), []);
});

test('torn anywhere, pending entries cost reading and nothing else', { skip: sample() }, async () => {
  await writeFiles();
  await interruptAfter(6);
  const [name = ''] = readdirSync(join(home.dir, 'index', 'pending', 'test'));
  const whole = readFileSync(join(home.dir, 'index', 'pending', 'test', name));
  const expected = await freshRoot(source);
  const damages = [0, 7, 100, 0.3, 0.6, 0.9].map((at) => (at < 1 && at > 0 ? Math.floor(whole.length * at) : at));
  for (const at of damages.filter((_, i) => i % sampled(3, 1) === 0)) {
    const torn = cpHome();
    const path = join(torn.dir, 'index', 'pending', 'test', name);
    truncateSync(path, at);
    assert.equal((await torn.add(source, OPTIONS)).summary.tree, expected, `cut at ${at}`);
    torn.remove();
    const zeroed = cpHome();
    writeFileSync(join(zeroed.dir, 'index', 'pending', 'test', name), Buffer.from(whole).fill(0, at, Math.min(whole.length, at + 200)));
    assert.equal((await zeroed.add(source, OPTIONS)).summary.tree, expected, `zeros from ${at}`);
    assert.deepEqual(await zeroed.damage(), []);
    zeroed.remove();
  }
});

test('files that only met blocks of earlier shards count, and so do root nodes that were made anew', { skip: sample() }, async () => {
  const files = await writeFiles();
  const trust = { ignoreCtime: true, ignoreInode: false, checksum: false };
  const first = await home.add(source, { ...OPTIONS, trust, metadata: true });
  for (const file of files) chmodSync(file, 0o600);
  // Copies with the blocks of a first, in a directory that comes after it.
  writeTree(source, { zz: { more: Buffer.alloc(100 * KIB, 'new'), copy: readFileSync(join(source, 'm1')) } });
  await sleep(50);
  await interruptAfter(1, { trust });
  const { summary } = await home.add(source, { ...OPTIONS, trust });
  assert.ok(summary.resumedFiles >= files.length, `${summary.resumedFiles} of ${files.length}`);
  assert.equal(summary.tree, await freshRoot(source));
  assert.notEqual(summary.tree, first.summary.tree);
  assert.deepEqual(await home.damage(), []);
});

test('a tree whose shards were lost is committed anew, also when an interrupted run had stored all of it again', {
  skip: sample(),
}, async () => {
  await writeFiles();
  const options = { ...OPTIONS, replication: { min: 1, max: 1 } };
  await home.add(source, options);
  for (const peer of PEERS) {
    const held = join(home.dir, 'peers', peer, 'shards');
    for (const folder of readdirSync(held)) rmSync(join(held, folder), { recursive: true });
  }
  // One shard, and no other than before: to be interrupted when it is placed, and only the catalogue is missing.
  const other = { ...options, shardBytes: KIB * KIB };
  await interruptAfter(1, other);
  const { summary } = await home.add(source, other);
  assert.deepEqual([summary.unchanged, summary.newShards], [false, 0]);
  const index = await home.index();
  const head = index.snapshot('test', summary.number)?.shards.map((number) => `shard ${number} `) ?? [];
  await index.close();
  // What the snapshot before it named is still lost.
  assert.deepEqual(
    (await home.damage()).filter((finding) => head.some((label) => finding.startsWith(label))),
    [],
  );
  assert.equal((await home.add(source, other)).summary.unchanged, true);
});
