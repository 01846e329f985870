import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { ShardctlError } from '../../core/errors.ts';
import type { Event } from '../../core/events.ts';
import { Index } from '../../index/index.ts';
import { LocalPeer } from '../../peer/local/local.ts';
import type { Peer } from '../../peer/peer.ts';
import { holdingsOf } from '../../storing/holdings.ts';
import { oneIn } from '../../testing/depth.ts';
import { OTHER_OWNER, TEST_OWNER } from '../../testing/owner.ts';
import { assertNoOrphans, assertWhole, pruneHome, pruneRun, SHARD_BYTES, snapshotsOf, withIndex } from '../../testing/retention.ts';
import { TestHome } from '../../testing/run.ts';
import { writeTree } from '../../testing/tree.ts';
import { release } from '../move/remove-peer.ts';
import { type Repaired, repair } from './repair.ts';
import type { RepairRun } from './repair-run.ts';

const sample = oneIn(4);

const TWICE = { shardBytes: SHARD_BYTES, replication: { min: 2, max: 2 } };

let dir: string;
let home: TestHome;
let events: Event[];
beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), 'shardctl-repair-'));
  home = await TestHome.create({ one: {}, two: {} });
  events = [];
  writeTree(dir, { a: Buffer.alloc(40_000, 'a'), b: Buffer.alloc(40_000, 'b'), e: Buffer.alloc(40_000, 'e'), c: { d: 'small' } });
  await home.add(dir, TWICE);
});
afterEach(() => {
  home.remove();
  rmSync(dir, { recursive: true, force: true });
});

function repairHome(options: Partial<RepairRun> = {}): Promise<Repaired> {
  const emit = (event: Event) => void events.push(event);
  return withIndex(home, (index) =>
    repair({ ...pruneRun(home, index, { replication: { min: 2, max: 2 }, emit }), readData: true, dryRun: false, ...options }),
  );
}

/** The CAR files of a peer, the largest first. */
function cars(peer: string): string[] {
  const shards = join(home.dir, 'peers', peer, 'shards');
  const paths = (readdirSync(shards, { recursive: true }) as string[])
    .filter((name) => name.endsWith('.car'))
    .map((name) => join(shards, name));
  return paths.sort((a, b) => readFileSync(b).length - readFileSync(a).length);
}

function flip(path: string, at: number): void {
  const bytes = readFileSync(path);
  bytes[at] = (bytes[at] as number) ^ 1;
  writeFileSync(path, bytes);
}

test('an intact home needs no repair, and nothing is written', { skip: sample() }, async () => {
  const { shards, lost, readBytes, ...counts } = await repairHome();
  assert.ok(shards > 2 && readBytes > 240_000);
  assert.deepEqual(lost, []);
  assert.deepEqual(counts, {
    dryRun: false,
    mended: 0,
    added: 0,
    identities: 0,
    runs: 0,
    found: 0,
    relisted: 0,
    rewritten: 0,
    tooFew: 0,
    away: 0,
  });
});

test('a missing shard, a flipped bit, a cut CAR and a lost catalogue are mended from the other peer', { skip: sample() }, async () => {
  const [first, second] = cars('one') as [string, string];
  rmSync(first);
  flip(second, 5000);
  const [, , third, catalogue] = cars('two') as [string, string, string, string];
  truncateSync(third, 100);
  rmSync(catalogue);
  const planned = await repairHome({ dryRun: true });
  assert.equal(planned.mended, 4);
  assert.notDeepEqual(await home.damage(), [], 'a dry run changes nothing');
  const { mended, lost } = await repairHome();
  assert.deepEqual([mended, lost], [4, []]);
  assert.equal(events.filter(({ type }) => type === 'mended').length, 4);
  await assertWhole(home);
  assert.deepEqual(readdirSync(join(home.dir, 'spool')), []);
});

test('two replicas that are both damaged, in different blocks, are made whole from each other', { skip: sample() }, async () => {
  home.remove();
  home = await TestHome.create({ one: {}, two: {} });
  rmSync(dir, { recursive: true });
  writeTree(dir, Object.fromEntries(Array.from({ length: 4 }, (_, i) => [`f${i}`, Buffer.alloc(8000, `${i}`)])));
  await home.add(dir, TWICE);
  flip(cars('one')[0] as string, 3000);
  flip(cars('two')[0] as string, 20_000);
  assert.equal((await home.damage()).length, 2);
  assert.equal((await repairHome()).mended, 2);
  await assertWhole(home);
});

test('a shard on too few peers gets further replicas, and the index says where', { skip: sample() }, async () => {
  const thin = await TestHome.create({ one: {}, two: {} });
  await thin.add(dir, { shardBytes: SHARD_BYTES });
  home.remove();
  home = thin;
  const shards = await withIndex(home, async (index) => [...index.shards()].length);
  const { added, mended } = await repairHome();
  assert.deepEqual([added, mended], [shards, 0]);
  await withIndex(home, async (index) => {
    for (const { peers } of index.shards()) assert.deepEqual(peers, ['one', 'two']);
  });
  await assertWhole(home);
  await assertNoOrphans(home);
});

test('a peer that is away is one finding; what it holds stays recorded, and others take over', { skip: sample() }, async () => {
  const three = await TestHome.create({ one: {}, two: {}, three: {} });
  home.remove();
  home = three;
  await home.add(dir, TWICE);
  rmSync(join(home.dir, 'peers', 'one', 'peer.json'));
  home = TestHome.at(home.dir, ['one', 'two', 'three']);
  const { tooFew, lost } = await repairHome();
  assert.deepEqual([tooFew, lost], [0, []]);
  await withIndex(home, async (index) => {
    for (const { peers } of index.shards()) assert.ok(peers.includes('two') && peers.includes('three'));
  });
});

test('lost and torn runs of the block table are rebuilt from the manifests', { skip: sample() }, async () => {
  const runs = join(home.dir, 'index', 'blocks');
  const [torn, gone] = readdirSync(runs) as [string, string];
  truncateSync(join(runs, torn), 50);
  rmSync(join(runs, gone));
  await withIndex(home, async (damaged) => assert.throws(() => damaged.shardOf(Buffer.alloc(32)), { code: 'DAMAGE' }));
  const index = await Index.open(join(home.dir, 'index'), { checkBlocks: true });
  const run = { ...pruneRun(home, index), readData: false, dryRun: false };
  const { relisted } = await repair(run);
  await index.close();
  assert.ok(relisted > 0);
  assert.equal((await repairHome()).relisted, 0);
  await assertWhole(home);
  assert.equal((await home.add(dir, TWICE)).summary.newBlocks, 0);
});

test('a shard of which nothing is left is named with its snapshots; the next add stores its blocks again', { skip: sample() }, async () => {
  const [first] = cars('one') as [string];
  const cid = first.slice(first.lastIndexOf('/') + 1, -'.car'.length);
  rmSync(first);
  truncateSync(cars('two').find((path) => path.includes(cid)) as string, 1000);
  const { lost } = await repairHome();
  assert.equal(lost.length, 1);
  assert.match(lost[0]?.what ?? '', new RegExp(`^shard \\d+ ${cid}$`));
  assert.deepEqual(lost[0]?.snapshots, ['test@1']);

  const { summary } = await home.add(dir, TWICE);
  assert.ok(summary.newBytes >= 40_000);
  const again = await repairHome();
  assert.deepEqual([again.lost, again.rewritten], [[], 1], 'the old snapshot needs the lost shard no more');
  await assertWhole(home);
  await withIndex(home, async (index) => assert.equal(new Set(snapshotsOf(index).map(({ tree }) => tree)).size, 1));
  await pruneHome(home, { replication: TWICE.replication });
  await assertNoOrphans(home);
});

test('a shard that a peer says it has, and that nobody can read, is not lost; a fellow that can fetch it gets it', {
  skip: sample(),
}, async () => {
  const [one, two] = [home.peers.get('one') as Peer, home.peers.get('two') as Peer];
  const [first] = cars('two') as [string];
  const copy = readFileSync(first);
  rmSync(first);
  one.open = async () => {
    throw new ShardctlError('NOT_READABLE', 'no way to its bytes');
  };
  const { mended, lost, tooFew } = await repairHome();
  assert.deepEqual([mended, lost, tooFew], [0, [], 1]);
  assert.equal((await home.add(dir, TWICE)).summary.newBytes, 0, 'nothing is stored again');

  const asked: string[] = [];
  two.fetch = async ({ cid }) => {
    asked.push(cid);
    writeFileSync(first, copy);
  };
  const again = await repairHome();
  assert.deepEqual([again.mended, again.lost, again.tooFew], [1, [], 0]);
  assert.deepEqual(
    asked.map((cid) => first.includes(cid)),
    [true],
  );
});

test('a catalogue of which nothing is left is made again from the index, for every snapshot; a dry run only says so', {
  skip: sample(),
}, async () => {
  writeFileSync(join(dir, 'more'), 'more');
  await home.add(dir, TWICE);
  const catalogues = await withIndex(home, async (index) => snapshotsOf(index).map(({ catalogue }) => catalogue.cid));
  for (const peer of ['one', 'two']) {
    for (const path of cars(peer)) if (catalogues.some((cid) => path.includes(cid))) rmSync(path);
  }
  assert.equal((await home.damage()).length, 2 * catalogues.length);
  const planned = await repairHome({ dryRun: true });
  assert.deepEqual([planned.mended, planned.lost, (await home.damage()).length], [2 * catalogues.length, [], 2 * catalogues.length]);
  const { mended, lost } = await repairHome();
  assert.deepEqual([mended, lost], [2 * catalogues.length, []]);
  await assertWhole(home);
  await assertNoOrphans(home);
});

test('a catalogue stays lost while the block of its tree cannot be had', { skip: sample() }, async () => {
  for (const peer of ['one', 'two']) for (const path of cars(peer)) rmSync(path);
  const { lost } = await repairHome();
  assert.equal(lost.filter(({ what }) => what.startsWith('catalogue')).length, 1);
});

test('a copy that cannot be written leaves the damaged one where it is, until another peer has taken its place', {
  skip: sample(),
}, async () => {
  const [first] = cars('one') as [string];
  flip(first, 5000);
  const before = readFileSync(first);
  (home.peers.get('one') as Peer).put = async () => {
    throw new ShardctlError('NO_SPACE', 'the disk is full');
  };
  const { mended, tooFew } = await repairHome();
  assert.deepEqual([mended, tooFew], [0, 1]);
  assert.deepEqual(readFileSync(first), before);
  assert.equal((await home.damage()).length, 1, 'it is still on record');

  const three = await LocalPeer.create({ owner: TEST_OWNER, name: 'three', path: join(home.dir, 'peers', 'three'), layout: 'car' });
  home.peers.set('three', three);
  const again = await repairHome();
  assert.deepEqual([again.added, again.tooFew], [2, 0], 'the shard, and the catalogue, which every peer is to have');
  await assertWhole(home);
  await pruneHome(home, { replication: TWICE.replication });
  await assertNoOrphans(home);
});

test('a peer that was let go as dead and comes back by another name has what it had, once that was read', { skip: sample() }, async () => {
  await withIndex(home, (index) => release({ ...pruneRun(home, index), force: true }, ['one', 'two']));
  home.peers.set('back', new LocalPeer({ owner: TEST_OWNER, name: 'back', path: join(home.dir, 'peers', 'one'), layout: 'car' }));
  for (const name of ['one', 'two']) home.peers.delete(name);
  const [first] = cars('one') as [string];
  flip(first, 5000);
  const once = { replication: { min: 1, max: 1 } };
  const planned = await withIndex(home, (index) => repair({ ...pruneRun(home, index, once), readData: false, dryRun: true }));
  const done = await withIndex(home, (index) => repair({ ...pruneRun(home, index, once), readData: false, dryRun: false }));
  assert.deepEqual([planned.found, planned.lost], [done.found, done.lost]);
  assert.deepEqual(
    done.lost.map(({ blocks }) => blocks),
    [1],
    'the flipped block alone is lost',
  );
  assert.ok(done.found > 2);
  const [path] = cars('one') as [string];
  flip(path, 5000);
  assert.deepEqual((await withIndex(home, (index) => repair({ ...pruneRun(home, index, once), readData: false, dryRun: false }))).lost, []);
  await assertWhole(home);
});

test('a peer that was let go and comes back has all that it had, also where the others have enough; what another home put there is not counted', {
  skip: sample(),
}, async () => {
  await withIndex(home, (index) => release({ ...pruneRun(home, index), force: true }, ['two']));
  const path = join(home.dir, 'peers', 'two');
  const two = new LocalPeer({ owner: TEST_OWNER, name: 'two', path, layout: 'car' });
  home.peers.set('two', two);
  const holdings = await withIndex(home, async (index) => holdingsOf(index));
  const strange = holdings[0]?.cid as string;
  const other = new LocalPeer({ owner: OTHER_OWNER, name: 'two', path, layout: 'car' });
  await other.mark([strange]);
  await two.remove(strange);
  const once = { replication: { min: 1, max: 2 } };
  const repairOnce = (dryRun: boolean) => withIndex(home, (index) => repair({ ...pruneRun(home, index, once), readData: false, dryRun }));
  assert.equal((await repairOnce(true)).found, holdings.length - 1);
  assert.equal((await repairOnce(false)).found, holdings.length - 1);
  assert.equal((await repairOnce(false)).found, 0);
  for (const { cid, peers } of await withIndex(home, async (index) => holdingsOf(index)))
    assert.deepEqual(peers, cid === strange ? ['one'] : ['one', 'two']);
});
