/** What becomes of blocks that no replica has intact: nothing else is lost with them, and the loss shows until it is healed. */
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import type { Event } from '../../core/events.ts';
import { hasLoss } from '../../core/model.ts';
import { parseCid } from '../../dag/cid.ts';
import { placedBlocks } from '../../read/blocks/placed-blocks.ts';
import { type GetSummary, get } from '../../restore/get.ts';
import { assertNoOrphans, assertWhole, pruneHome, pruneRun, snapshotsOf, withIndex } from '../../testing/retention.ts';
import { TestHome } from '../../testing/run.ts';
import { verify } from '../verify.ts';
import { type Repaired, repair } from './repair.ts';
import type { RepairRun } from './repair-run.ts';

let dir: string;
let home: TestHome;
beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), 'shardctl-loss-'));
  mkdirSync(join(dir, 'source'));
  for (let i = 0; i < 20; i++) writeFileSync(join(dir, 'source', `f${i}`), Buffer.alloc(3000, `content of ${i} `));
  home = await TestHome.create();
  await home.add(join(dir, 'source'));
});
afterEach(() => {
  home.remove();
  rmSync(dir, { recursive: true, force: true });
});

function repairHome(options: Partial<RepairRun> = {}): Promise<Repaired> {
  return withIndex(home, (index) => repair({ ...pruneRun(home, index), readData: false, dryRun: false, ...options }));
}

/** Findings of a `verify` that reads no data. */
function glance(): Promise<number> {
  return withIndex(home, async (index) => {
    const shards = [...index.shards()].map((shard) => ({ ...shard, label: `shard ${shard.number}` }));
    const done = await verify({ shards, peers: home.peers, readData: false, emit: () => {}, signal: new AbortController().signal });
    return done.damaged;
  });
}

function restore(): Promise<GetSummary> {
  const out = mkdtempSync(join(dir, 'out-'));
  return withIndex(home, async (index) => {
    const blocks = placedBlocks(index, home.peers);
    const tree = snapshotsOf(index).at(-1)?.tree as string;
    const emit = (_: Event) => {};
    return get({ root: parseCid(tree), path: '', out, blocks, emit, signal: new AbortController().signal }).finally(() => blocks.close());
  });
}

function cars(peer = 'local'): string[] {
  const shards = join(home.dir, 'peers', peer, 'shards');
  return (readdirSync(shards, { recursive: true }) as string[]).filter((name) => name.endsWith('.car')).map((name) => join(shards, name));
}

/** Flips a bit of the content of a file, wherever it is stored. */
function flipIn(text: string): void {
  for (const path of cars()) {
    const bytes = readFileSync(path);
    const at = bytes.indexOf(text);
    if (at < 0) continue;
    bytes[at] = (bytes[at] as number) ^ 1;
    writeFileSync(path, bytes);
  }
}

const losses = () => withIndex(home, async (index) => [...index.shards()].filter(hasLoss).map(({ state, bad }) => [state, bad?.length]));

test('one flipped byte costs one block: the others are read as ever, and the loss shows until it is healed', async () => {
  flipIn('content of 7 ');
  assert.equal((await restore()).problems.damaged, 1);
  const planned = await repairHome({ readData: true, dryRun: true });
  assert.deepEqual(await losses(), [], 'a dry run notes nothing');
  const found = await repairHome({ readData: true });
  assert.deepEqual({ ...found, dryRun: true }, planned, 'and says what the real one does');
  assert.deepEqual(
    found.lost.map(({ snapshots, blocks }) => [snapshots, blocks]),
    [[['test@1'], 1]],
  );
  assert.deepEqual(await losses(), [['committed', 1]]);
  const { files, problems } = await restore();
  assert.deepEqual([files, problems.damaged], [19, 1]);
  assert.equal(await glance(), 1, 'a verify that reads nothing knows of it');
  assert.equal((await repairHome()).lost.length, 1, 'so does a plain repair, which forgets nothing unread');
  assert.equal((await losses()).length, 1);
});

test('the next add stores exactly what is lost, and repair puts it where it was', async () => {
  flipIn('content of 7 ');
  await repairHome({ readData: true });
  const { summary } = await home.add(join(dir, 'source'));
  assert.equal(summary.newBlocks, 1);
  assert.equal((await restore()).failure, undefined);
  const { mended, lost } = await repairHome();
  assert.deepEqual([mended, lost, await losses()], [1, [], []]);
  assert.deepEqual((await repairHome({ readData: true })).mended, 0);
  await assertWhole(home);
  assert.equal((await home.add(join(dir, 'source'))).summary.unchanged, true);
  await pruneHome(home);
  await assertNoOrphans(home);
  await assertWhole(home);
});

test('what is lost is stored again although a node, of which nobody knows yet, is damaged meanwhile', async () => {
  flipIn('content of 7 ');
  await repairHome({ readData: true });
  flipIn('f12');
  assert.equal((await home.add(join(dir, 'source'))).summary.newBlocks, 1);
});

test('a loss is forgotten when a whole copy is read, wherever it came from', async () => {
  const before = new Map(cars().map((path) => [path, readFileSync(path)]));
  flipIn('content of 7 ');
  await repairHome({ readData: true });
  for (const [path, bytes] of before) writeFileSync(path, bytes);
  assert.equal(await glance(), 1, 'nobody has read it yet');
  assert.deepEqual(await home.damage(), [], 'who reads it sees that it is whole');
  assert.deepEqual([(await repairHome()).lost, await losses()], [[], []]);
});

test('prune loses nothing more: neither what is left of a damaged shard, nor what heals it', async () => {
  flipIn('content of 7 ');
  await repairHome({ readData: true });
  await home.add(join(dir, 'source'));
  // The only snapshot that names the shard with the block stored again is the second: the third takes nothing over from it.
  rmSync(join(dir, 'source/f7'));
  await withIndex(home, async (index) => index.entries.drop('test', 2));
  await home.add(join(dir, 'source'));
  await withIndex(home, async (index) => index.forget('test', [2]));
  await pruneHome(home);
  assert.equal((await restore()).failure, undefined);
  assert.deepEqual([(await repairHome()).lost, await losses()], [[], []]);
  await assertWhole(home);
});

test('a peer whose peer.json is damaged is mended first, and nothing of it is placed elsewhere', async () => {
  const file = join(home.dir, 'peers', 'local', 'peer.json');
  writeFileSync(file, readFileSync(file, 'utf8').replace('"format":2', '"format":3'));
  home = TestHome.at(home.dir, ['local']);
  const planned = await repairHome({ dryRun: true });
  assert.deepEqual([planned.identities, planned.lost, planned.tooFew], [1, [], 0]);
  home = TestHome.at(home.dir, ['local']);
  const { identities, mended, added, lost } = await repairHome();
  assert.deepEqual([identities, mended, added, lost], [1, 0, 0, []]);
  assert.equal((await repairHome()).identities, 0);
  await assertWhole(home);
});

test('a snapshot gets another list of shards also where nothing is left of its catalogue, as a dry run says', async () => {
  const catalogues = () => withIndex(home, async (index) => snapshotsOf(index).map(({ catalogue }) => catalogue.cid));
  const [catalogue] = (await catalogues()) as [string];
  for (const path of cars()) if (!path.includes(catalogue)) rmSync(path);
  assert.notDeepEqual((await repairHome()).lost, []);
  await home.add(join(dir, 'source'));
  for (const path of cars()) if (path.includes(catalogue)) rmSync(path);
  const planned = await repairHome({ dryRun: true });
  const done = await repairHome();
  assert.deepEqual([done.lost, done.rewritten], [[], 1]);
  assert.deepEqual({ ...planned, dryRun: false }, done);
  assert.deepEqual([(await catalogues()).length, (await catalogues()).includes(catalogue)], [2, false]);
  await assertWhole(home);
});
