/** The power goes in the middle of a run: what was committed is whole, damage is found, and a rerun comes to where it would have come. */
import assert from 'node:assert/strict';
import { closeSync, fsyncSync, mkdtempSync, openSync, readdirSync, readFileSync, renameSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { toBytes } from '../core/path-bytes.ts';
import { readHead } from '../home/heads.ts';
import { oneIn } from '../testing/depth.ts';
import { type Loss, PowerLoss } from '../testing/power-loss.ts';
import { assertNoOrphans, assertWhole, pruneHome, SHARD_BYTES, withIndex } from '../testing/retention.ts';
import { freshRoot, TestHome } from '../testing/run.ts';
import { writeTree } from '../testing/tree.ts';
import { toldByList } from '../update/told/told-paths.ts';

const sample = oneIn(8);

const PEERS = ['one', 'two'];
const TWICE = { min: 2, max: 2 };
const OPTIONS = { replication: TWICE, shardBytes: SHARD_BYTES };
/** Every how many operations an image is taken. */
const STRIDE = process.env.SHARDCTL_TEST_CAMPAIGN === 'full' ? 1 : 9;
const LOSSES: readonly Loss[] = ['data', 'names'];

let dir: string;
let source: string;
let home: TestHome;
beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), 'shardctl-power-'));
  const files = Object.fromEntries(Array.from({ length: 5 }, (_, i) => [`f${i}`, Buffer.alloc(20_000, `${i}`)]));
  source = writeTree(join(dir, 'source'), { ...files, d: { link: { link: 'f1' } } });
  home = await TestHome.create({ one: {}, two: {} });
  await home.add(source, OPTIONS);
  for (const i of [0, 1, 2]) rmSync(join(source, `f${i}`));
  writeTree(source, { new: Buffer.alloc(60_000, 'new'), e: { h: Buffer.alloc(25_000, 'h') } });
  await sleep(50);
});
afterEach(() => {
  home.remove();
  rmSync(dir, { recursive: true, force: true });
});

/** Homes as a power cut may have left them, at every so many operations of the run and at its end. */
async function imagesOf(run: () => Promise<unknown>): Promise<{ what: string; home: TestHome }[]> {
  const images: { what: string; home: TestHome }[] = [];
  const take = (when: string) => {
    for (const loss of LOSSES) {
      const path = join(dir, `${when}-${loss}`);
      watch.image(path, loss);
      images.push({ what: `${when}, ${loss} lost`, home: TestHome.at(path, PEERS) });
    }
  };
  const watch = new PowerLoss(home.dir, (nth) => {
    if (nth % STRIDE === 0) take(`operation-${nth}`);
  });
  try {
    await run();
    take('end');
  } finally {
    watch.stop();
  }
  assert.ok(images.length > 10, `only ${images.length} images`);
  return images;
}

async function assertHead(at: TestHome, what: string): Promise<void> {
  await withIndex(at, async (index) => {
    const cids = index.snapshots('test').map(({ cid }) => cid);
    assert.ok(cids.includes(readHead(join(at.dir, 'heads'), 'test') ?? ''), `${what}: the head names a snapshot that is there`);
  });
}

test('at any moment of an update the old head or the new one is whole, and a rerun comes to the root of a fresh add', {
  skip: sample(),
}, async () => {
  const expected = await freshRoot(source);
  for (const { what, home: at } of await imagesOf(() => home.add(source, OPTIONS))) {
    await assertHead(at, what);
    assert.deepEqual(await at.damage(), [], what);
    const { summary } = await at.add(source, OPTIONS);
    assert.equal(summary.tree, expected, what);
    if (what.startsWith('end')) assert.deepEqual([summary.unchanged, summary.newBlocks], [true, 0], what);
    await assertWhole(at);
    assert.deepEqual(readdirSync(join(at.dir, 'spool')), [], what);
    at.remove();
  }
});

test('at any moment of runs that are told what has changed, and of one that looks at everything after them, a rerun comes to the same root', {
  skip: sample(),
}, async () => {
  // What is told is little beside this, so that the runs leave a patch of the entries.
  writeTree(source, { many: Object.fromEntries(Array.from({ length: 400 }, (_, i) => [`m${i}`, `${i}`])) });
  await sleep(50);
  await home.add(source, OPTIONS);
  const told = toldByList(Buffer.from('e/h\nd/new\nf3\n'), toBytes(source));
  writeTree(source, { e: { h: 'other' } });
  await sleep(50);
  await home.add(source, { ...OPTIONS, told });
  rmSync(join(source, 'f3'));
  writeTree(source, { e: { h: 'another' }, d: { new: 'x' } });
  await sleep(50);
  const expected = await freshRoot(source);
  const run = async () => {
    await home.add(source, { ...OPTIONS, told });
    assert.ok(readdirSync(join(home.dir, 'index', 'entries', 'test')).includes('4.patch'));
    await home.add(source, OPTIONS);
  };
  for (const { what, home: at } of await imagesOf(run)) {
    await assertHead(at, what);
    const { summary } = await at.add(source, { ...OPTIONS, told });
    assert.equal(summary.tree, expected, what);
    const again = await at.add(source, OPTIONS);
    assert.deepEqual([again.summary.tree, again.summary.unchanged], [expected, true], what);
    await assertWhole(at);
    at.remove();
  }
});

test('at any moment of a prune what is retained is whole, and a rerun completes it', { skip: sample() }, async () => {
  await home.add(source, OPTIONS);
  await withIndex(home, (index) => index.forget('test', [1]));
  for (const { what, home: at } of await imagesOf(() => pruneHome(home, { replication: TWICE }))) {
    assert.deepEqual(await at.damage(), [], what);
    await pruneHome(at, { replication: TWICE });
    await assertHead(at, what);
    await assertWhole(at);
    await assertNoOrphans(at);
    at.remove();
  }
});

test('a first run that loses everything it had not flushed begins anew', { skip: sample() }, async () => {
  home.remove();
  home = await TestHome.create({ one: {}, two: {} });
  const expected = await freshRoot(source);
  for (const { what, home: at } of await imagesOf(() => home.add(source, OPTIONS))) {
    assert.equal((await at.add(source, OPTIONS)).summary.tree, expected, what);
    await assertWhole(at);
    at.remove();
  }
});

test('the model loses what was not flushed, and nothing else', { skip: sample() }, () => {
  const at = writeTree(join(dir, 'model'), { flushed: 'old', replaced: 'old' });
  const watch = new PowerLoss(at, () => {});
  const write = (name: string, flush: boolean) => {
    const fd = openSync(join(at, name), 'w');
    writeSync(fd, 'new');
    if (flush) fsyncSync(fd);
    closeSync(fd);
  };
  write('flushed', true);
  write('unflushed', false);
  write('temporary', true);
  renameSync(join(at, 'temporary'), join(at, 'replaced'));
  watch.image(join(dir, 'data'), 'data');
  watch.image(join(dir, 'names'), 'names');
  watch.stop();
  const contents = (image: string) => readdirSync(join(dir, image)).map((name) => [name, readFileSync(join(dir, image, name), 'utf8')]);
  assert.deepEqual(contents('data'), [
    ['flushed', 'new'],
    ['replaced', 'new'],
    ['unflushed', ''],
  ]);
  assert.deepEqual(contents('names'), [
    ['flushed', 'new'],
    ['replaced', 'old'],
  ]);
});
