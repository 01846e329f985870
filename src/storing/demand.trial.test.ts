/** What a repository asks for holds for all that it has, whoever placed it and whatever happens to it later. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import fc from 'fast-check';
import { leastReplicas, mostReplicas, type Replication, replicationSeen } from '../core/model.ts';
import type { Index } from '../index/index.ts';
import { repair } from '../maintain/repair/repair.ts';
import { LocalPeer } from '../peer/local/local.ts';
import { drainHome, rebalanceHome, wholeCopies } from '../testing/moving.ts';
import { TEST_OWNER } from '../testing/owner.ts';
import { assertWhole, pruneHome, pruneRun, SHARD_BYTES, snapshotsOf, withIndex } from '../testing/retention.ts';
import { TestHome } from '../testing/run.ts';
import { writeTree } from '../testing/tree.ts';
import { allocatorsOf } from './allocate/allocators.ts';
import { type Demand, Demands } from './demand.ts';
import { holdingsOf } from './holdings.ts';

const HOME: Demand = { replication: { min: 1, max: 1 }, allocateBy: ['freespace'] };
const times = (count: number): Replication => ({ min: count, max: count });
/** As `add --replication` and later runs are given it. */
const told = (count: number, allocateBy?: readonly string[]) => ({
  shardBytes: SHARD_BYTES,
  replication: times(count),
  ownDemand: { replication: times(count), ...(allocateBy === undefined ? {} : { allocateBy }) },
  ...(allocateBy === undefined ? {} : { allocateBy }),
});

let dir: string;
let home: TestHome;
beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), 'shardctl-demand-'));
  // Of a capacity, what is free goes by what they hold, and not by what else is on the disk.
  const capacity = 2 ** 30;
  home = await TestHome.create({
    one: { capacity, tags: { zone: 'a' } },
    two: { capacity, tags: { zone: 'a' } },
    three: { capacity, tags: { zone: 'b' } },
  });
  writeTree(dir, Object.fromEntries(Array.from({ length: 6 }, (_, i) => [`f${i}`, Buffer.alloc(20_000, `${i} `)])));
});
afterEach(() => {
  home.remove();
  rmSync(dir, { recursive: true, force: true });
});

/** Each shard and catalogue that `repository` needs is recorded on `least` peers or more, and is whole there. */
async function assertHeld(repository: string, least: number): Promise<void> {
  const copies = await wholeCopies(home);
  await withIndex(home, async (index) => {
    const needed = snapshotsOf(index).filter((snapshot) => snapshot.repository === repository);
    assert.ok(needed.length > 0);
    for (const { number, shards, catalogue } of needed)
      for (const shard of [...shards.map((it) => index.shard(it)), catalogue])
        assert.ok((copies.get(shard?.cid ?? '') ?? 0) >= least, `${shard?.cid} of ${repository}@${number}`);
  });
}

const replication = fc.oneof(
  fc.constant({ min: -1, max: -1 }),
  fc.integer({ min: 1, max: 5 }).chain((min) => fc.oneof(fc.constant(-1), fc.integer({ min, max: 6 })).map((max) => ({ min, max }))),
);
const allocateBy = fc.uniqueArray(
  fc.constantFrom('tag:zone', 'tag:rack', 'prefer:a', 'pinned-to:a+b', 'pinned-to:b+c', 'pinned-to:c', 'freespace', 'weight'),
  { minLength: 1, maxLength: 4 },
);

/** An index of which only the repositories and what their snapshots need is asked. */
function indexOf(repositories: readonly Partial<Demand>[], shards: readonly (readonly number[])[]): Index {
  const records = repositories.map((own, i) => ({ name: `r${i}`, head: 1, ...own }));
  const fake: Pick<Index, 'repository' | 'repositories' | 'eachSnapshot'> = {
    repository: (name) => records.find((record) => record.name === name) as never,
    repositories: () => records as never,
    eachSnapshot: (name) => [{ repository: name, shards: shards[Number(name.slice(1))] }] as never,
  };
  return fake as Index;
}

test('a shard is held to the most that any repository asks which needs it, and one that none needs to what the home asks', () => {
  const peers = new Map(['a', 'b', 'c', 'd', 'e', 'f'].map((name) => [name, {}]));
  const own = fc.record({ replication, allocateBy }, { requiredKeys: [] });
  const repositories = fc.array(fc.tuple(own, fc.uniqueArray(fc.nat(4))), { maxLength: 4 });
  fc.assert(
    fc.property(repositories, fc.record({ replication, allocateBy }), (them, defaults) => {
      const index = indexOf(
        them.map(([it]) => it),
        them.map(([, shards]) => shards),
      );
      const demands = new Demands(index, { home: defaults });
      const demandOf = demands.ofEach();
      for (const number of [0, 1, 2, 3, 4]) {
        assert.deepEqual(demandOf({ shards: [number], snapshots: [] }), demands.ofShard(number));
        assert.equal(
          demands.isNeeded(number),
          them.some(([, shards]) => shards.includes(number)),
        );
        const asking = them.filter(([, shards]) => shards.includes(number)).map(([it]) => ({ ...defaults, ...it }));
        const all = asking.length === 0 ? [defaults] : asking;
        const demand = demands.ofShard(number);
        for (const count of [leastReplicas, mostReplicas])
          assert.equal(count(demand.replication, peers), Math.max(...all.map((one) => count(one.replication, peers))));
        const rules = (names: readonly string[]) => names.filter((name) => /^(tag|prefer):/.test(name));
        for (const name of all.flatMap((one) => rules(one.allocateBy))) assert.ok(demand.allocateBy.includes(name));
        // Some peer may have it, as long as each of the lists that let no others names one.
        const lists = allocatorsOf(demand.allocateBy).flatMap(({ only }) => (only === undefined ? [] : [only]));
        const single = all.length === 1 || all.every((one) => one.allocateBy.join() === all[0]?.allocateBy.join());
        if (!single) assert.ok(lists.length <= 1 && lists.every((names) => names.length > 0));
      }
    }),
  );
});

test('what is said on the command line counts instead, for everything', () => {
  const demands = new Demands(indexOf([{ replication: times(3) }], [[0]]), { home: HOME, told: { replication: times(2) } });
  assert.deepEqual(demands.ofShard(0), { replication: times(2), allocateBy: ['freespace'] });
  assert.deepEqual(demands.of(['r0']), { replication: times(2), allocateBy: ['freespace'] });
});

test('what was told once is seen from what is there: half of the bytes count, not the small shards that came later', () => {
  const shards = (...counts: [bytes: number, replicas: number][]) =>
    counts.map(([bytes, count]) => ({ bytes, peers: Array.from({ length: count }, (_, i) => `p${i}`) }));
  assert.deepEqual(replicationSeen(shards([1000, 2], [10, 1], [10, 1], [10, 1])), times(2));
  assert.deepEqual(replicationSeen(shards([1000, 1], [10, 2])), undefined);
  assert.deepEqual(replicationSeen(shards([10, 3], [10, 3])), times(3));
  assert.deepEqual(replicationSeen([]), undefined);
});

test('a repository that is told to have more replicas has them of all that it has, also when nothing in it has changed', async () => {
  await home.add(dir, { shardBytes: SHARD_BYTES });
  writeFileSync(join(dir, 'new'), Buffer.alloc(30_000, 'n'));
  await home.add(dir, { shardBytes: SHARD_BYTES });
  const { summary, events } = await home.add(dir, told(2));
  assert.ok(summary.unchanged);
  const raised = events.find((event) => event.type === 'raised');
  const bytes = summary.peers.reduce((sum, { freeBefore, freeAfter }) => sum + freeBefore - freeAfter, 0);
  assert.ok(
    raised !== undefined && raised.replicas > 0 && bytes >= raised.bytes,
    'it says what it has copied, and what is free afterwards',
  );
  await assertHeld('test', 2);
  await assertWhole(home);
  await withIndex(home, async (index) => assert.deepEqual(index.repository('test')?.replication, times(2)));
  // And with a change, in the run that makes the snapshot.
  writeFileSync(join(dir, 'newer'), 'newer');
  await home.add(dir, told(3));
  await assertHeld('test', 3);
  assert.deepEqual(await home.damage(), []);
});

test('where there is no room for more replicas the run says so, and commits what is new', async () => {
  home = await TestHome.create({ one: {}, two: { capacity: 1 } });
  await home.add(dir, { shardBytes: SHARD_BYTES });
  const { events } = await home.add(dir, told(2));
  const warnings = events.filter((event) => event.type === 'warning');
  assert.equal(warnings.length, 1);
  assert.match(warnings[0]?.message ?? '', /\d+ of \d+ shards have fewer than 2 replicas/);
  assert.match(warnings[0]?.hint ?? '', /shardctl repair/);
});

test('a snapshot names no shard that another repository placed for less', async () => {
  await home.add(dir, { shardBytes: SHARD_BYTES, repository: 'thin' });
  await home.add(dir, { ...told(2), repository: 'safe' });
  await assertHeld('safe', 2);
  await home.add(dir, { shardBytes: SHARD_BYTES, repository: 'other' });
  await withIndex(home, async (index) => {
    const numbers = (name: string) => index.snapshot(name, 1)?.shards;
    assert.notDeepEqual(numbers('thin'), numbers('safe'));
    assert.equal([...index.shards()].length, 2 * (numbers('thin')?.length ?? 0), 'one that asks for less stores nothing again');
  });
});

test('a run that died with fewer replicas is not believed by one that asks for more', async () => {
  let died = false;
  const dying = { type: 'damage' } as never;
  await assert.rejects(
    home.add(dir, { shardBytes: SHARD_BYTES, repository: 'test' }, (event) => {
      if (event.type !== 'placed' || died) return;
      died = true;
      throw dying;
    }),
  );
  assert.ok(died);
  await home.add(dir, told(2));
  await assertHeld('test', 2);
});

test('peers drain leaves each shard the replicas that its repository asks for, in the zones that it asks for', async () => {
  await home.add(dir, told(2, ['tag:zone', 'freespace']));
  await home.add(dir, { shardBytes: SHARD_BYTES, repository: 'other' });
  home.peers.set(
    'four',
    await LocalPeer.create({ owner: TEST_OWNER, name: 'four', path: join(home.dir, 'peers', 'four'), layout: 'car', tags: { zone: 'b' } }),
  );
  const three = { owner: TEST_OWNER, name: 'three', path: join(home.dir, 'peers', 'three'), layout: 'car', drained: true } as const;
  home.peers.set('three', new LocalPeer(three));
  await drainHome(home, 'three');
  await assertHeld('test', 2);
  await withIndex(home, async (index) => {
    for (const { peers, isCatalogue } of holdingsOf(index)) if (!isCatalogue) assert.ok(peers.includes('four'), peers.join());
  });
});

test('rebalance keeps to the rules of each repository', async () => {
  await home.add(dir, { shardBytes: SHARD_BYTES, repository: 'free' });
  const pinned = { ...told(1, ['pinned-to:one', 'freespace']), repository: 'pinned' };
  writeTree(join(dir, 'sub'), Object.fromEntries(Array.from({ length: 6 }, (_, i) => [`g${i}`, Buffer.alloc(20_000, `${i} g`)])));
  await home.add(join(dir, 'sub'), pinned);
  await rebalanceHome(home);
  await withIndex(home, async (index) => {
    for (const number of index.snapshot('pinned', 1)?.shards ?? []) assert.deepEqual(index.shard(number)?.peers, ['one']);
  });
});

test('repair brings each shard to what its repository asks for, and no other', async () => {
  await home.add(dir, { shardBytes: SHARD_BYTES, repository: 'thin' });
  writeTree(join(dir, 'sub'), { g: Buffer.alloc(20_000, 'g') });
  await home.add(join(dir, 'sub'), { ...told(1), repository: 'safe' });
  await withIndex(home, async (index) => {
    const record = index.repository('safe');
    assert.ok(record);
    await index.saveRepository({ ...record, replication: times(2) });
    await repair({ ...pruneRun(home, index), readData: false, dryRun: false });
    for (const number of index.snapshot('thin', 1)?.shards ?? []) assert.equal(index.shard(number)?.peers.length, 1);
  });
  await assertHeld('safe', 2);
});

test('what prune packs anew has the replicas that its repository asks for', async () => {
  await home.add(dir, told(2));
  for (const name of ['f0', 'f2', 'f4']) rmSync(join(dir, name));
  await home.add(dir, told(2));
  await withIndex(home, (index) => index.forget('test', [1]));
  const { newShards } = await pruneHome(home);
  assert.ok(newShards > 0);
  await assertHeld('test', 2);
});
