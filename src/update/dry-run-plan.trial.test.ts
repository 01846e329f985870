/** What `-n` says is what the run then does: as data, in each situation in which they could differ. */
import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, readlinkSync, renameSync, rmSync, truncateSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Plan, Summary } from '../core/events.ts';
import { type Repaired, repair } from '../maintain/repair/repair.ts';
import { LocalPeer } from '../peer/local/local.ts';
import { RESERVE_BYTES } from '../storing/allocate/allocators.ts';
import { type Holding, holdingsOf } from '../storing/holdings.ts';
import { TEST_OWNER } from '../testing/owner.ts';
import { pruneRun, SHARD_BYTES, withIndex } from '../testing/retention.ts';
import { type RunOptions, TestHome } from '../testing/run.ts';
import { writeTree } from '../testing/tree.ts';
import type { SecondThread } from './scan/second-thread.ts';

const TWICE = { replication: { min: 2, max: 2 } };

let dir: string;
let source: string;
let home: TestHome;
beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), 'shardctl-dry-run-'));
  source = join(dir, 'source');
  const files = (letter: string) =>
    Object.fromEntries(Array.from({ length: 8 }, (_, i) => [`${letter}${i}`, Buffer.alloc(20_000, `${letter}${i}`)]));
  writeTree(source, { ...files('a'), sub: files('b') });
  // What was just written would be read again for that alone.
  await sleep(50);
  home = await TestHome.create({ one: {}, two: {} });
});
afterEach(() => {
  home.remove();
  rmSync(dir, { recursive: true, force: true });
});

const plan = (demand = TWICE): Promise<Plan> => home.plan(source, { ...demand, shardBytes: SHARD_BYTES });

const add = async (options: RunOptions = {}): Promise<Summary> =>
  (await home.add(source, { ...TWICE, shardBytes: SHARD_BYTES, ...options })).summary;

/** Which files will be read, and which need not be. */
async function assertPlanHolds(): Promise<Plan> {
  const planned = await plan();
  const { newFiles, resumedFiles } = await add();
  assert.deepEqual([planned.readFiles, planned.resumedFiles], [newFiles - resumedFiles, resumedFiles]);
  return planned;
}

test('add and update: what an interrupted run has imported is not read again, and the dry run knows', async () => {
  const stop = new AbortController();
  let placed = 0;
  const run = home.add(source, { ...TWICE, shardBytes: SHARD_BYTES, signal: stop.signal }, ({ type }) => {
    if (type === 'placed' && ++placed === 3) stop.abort(new Error('stopped'));
  });
  await assert.rejects(run, /stopped/);
  const planned = await assertPlanHolds();
  assert.ok(planned.resumedFiles > 0);
  assert.ok(planned.readFiles > 0);
});

test('a dry run that fails as it begins to look keeps no file of the head open', {
  skip: process.platform !== 'linux',
}, async () => {
  await add();
  const failing = {
    help: () => {
      throw new Error('no thread');
    },
  } as unknown as SecondThread;
  await assert.rejects(home.plan(source, { ...TWICE, shardBytes: SHARD_BYTES, secondThread: failing }), /no thread/);
  assert.deepEqual(openBelow(home.dir), []);
});

/** Files below a directory that this process has open. */
function openBelow(top: string): string[] {
  return readdirSync('/proc/self/fd').flatMap((fd) => {
    try {
      const path = readlinkSync(`/proc/self/fd/${fd}`);
      return path.startsWith(top) ? [path] : [];
    } catch {
      // The handle of the listing itself.
      return [];
    }
  });
}

test('update: with shards of the head lost every file is read, and the dry run knows', async () => {
  await add();
  for (const name of ['one', 'two']) rmSync(carsOn(name)[0] as string);
  assert.equal((await assertPlanHolds()).readFiles, 16);
});

test('update: where a peer may have the only copy, a dry run is refused as the run is', async () => {
  await home.add(source, { shardBytes: SHARD_BYTES });
  renameSync(join(home.dir, 'peers', 'one'), join(home.dir, 'away'));
  home = TestHome.at(home.dir, ['one', 'two']);
  const once = { replication: { min: 1, max: 1 } };
  await assert.rejects(add(once), { code: 'TOO_FEW_PEERS' });
  await assert.rejects(plan(once), { code: 'TOO_FEW_PEERS' });
});

function carsOn(name: string): string[] {
  const shards = join(home.dir, 'peers', name, 'shards');
  const names = readdirSync(shards, { recursive: true }).map(String);
  return names
    .filter((it) => it.endsWith('.car'))
    .map((it) => join(shards, it))
    .sort((a, b) => readFileSync(b).length - readFileSync(a).length);
}

const repairHome = (dryRun: boolean, readData = true): Promise<Repaired> =>
  withIndex(home, (index) => repair({ ...pruneRun(home, index, TWICE), readData, dryRun }));

const holdings = () => withIndex(home, async (index) => holdingsOf(index));
const newPeer = (name: string, capacity?: number) =>
  LocalPeer.create({ owner: TEST_OWNER, name, path: join(home.dir, 'peers', name), layout: 'car', capacity });

/** Every file but LMDB's table of readers, which even a look writes to. */
function bytesOf(): Map<string, string> {
  const files = readdirSync(home.dir, { recursive: true, withFileTypes: true }).filter((it) => it.isFile() && it.name !== 'lock.mdb');
  return new Map(files.map((it) => [join(it.parentPath, it.name), readFileSync(join(it.parentPath, it.name), 'hex')]));
}

const SITUATIONS: Readonly<Record<string, () => Promise<void>>> = {
  'a replica is missing': async () => rmSync(carsOn('one')[0] as string),
  'a block is damaged in one of them': async () => truncateSync(carsOn('two')[0] as string, 3_000),
  'a block is damaged in all of them': async () => {
    for (const name of ['one', 'two']) truncateSync(carsOn(name)[0] as string, 3_000);
  },
  'a peer is away, and another has room': async () => {
    renameSync(join(home.dir, 'peers', 'one'), join(home.dir, 'away'));
    home = TestHome.at(home.dir, ['one', 'two']);
    home.peers.set('three', await newPeer('three'));
  },
  'a peer is away, and nobody has room': async () => {
    renameSync(join(home.dir, 'peers', 'one'), join(home.dir, 'away'));
    home = TestHome.at(home.dir, ['one', 'two']);
  },
  'a peer is away, and another has room for some of it': async () => {
    renameSync(join(home.dir, 'peers', 'one'), join(home.dir, 'away'));
    home = TestHome.at(home.dir, ['one', 'two']);
    home.peers.set('three', await newPeer('three', RESERVE_BYTES + 150_000));
  },
  'a replica is there that no record names': async () => {
    const [first] = (await holdings()) as [Holding];
    await withIndex(home, (index) => index.relocate(first.cid, first, ['one']));
    await withIndex(home, (index) => index.dropStray(first.cid));
  },
  'a catalogue is on no peer': async () => {
    const { cid } = (await holdings()).find(({ isCatalogue }) => isCatalogue) as Holding;
    for (const name of ['one', 'two']) rmSync(carsOn(name).find((path) => path.includes(cid)) as string);
  },
};

for (const [situation, happens] of Object.entries(SITUATIONS)) {
  test(`repair, when ${situation}: the dry run counts what the run then does, and writes nothing`, async () => {
    await add();
    await happens();
    for (const readData of [false, true]) {
      const before = bytesOf();
      const planned = await repairHome(true, readData);
      assert.deepEqual(bytesOf(), before);
      assert.deepEqual({ ...planned, dryRun: false }, await repairHome(false, readData));
    }
  });
}
