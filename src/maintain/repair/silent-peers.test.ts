/** Peers that were away: at the commit, and while the others were given what they hold. */
import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { ShardctlError } from '../../core/errors.ts';
import type { Event } from '../../core/events.ts';
import { LocalPeer } from '../../peer/local/local.ts';
import type { Peer } from '../../peer/peer.ts';
import { Grace } from '../../storing/allocate/grace.ts';
import { failingReader } from '../../testing/failing-reader.ts';
import { TEST_OWNER } from '../../testing/owner.ts';
import { assertNoOrphans, assertWhole, pruneRun, SHARD_BYTES, snapshotsOf, withIndex } from '../../testing/retention.ts';
import { TestHome } from '../../testing/run.ts';
import { writeTree } from '../../testing/tree.ts';
import { type Repaired, repair } from './repair.ts';
import type { RepairRun } from './repair-run.ts';

const TWICE = { shardBytes: SHARD_BYTES, replication: { min: 2, max: 2 } };

let dir: string;
let home: TestHome;
let events: Event[];
beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), 'shardctl-away-'));
  home = await TestHome.create({ one: {}, two: {}, three: {} });
  events = [];
  writeTree(dir, { a: Buffer.alloc(40_000, 'a'), b: Buffer.alloc(40_000, 'b'), c: { d: 'small' } });
});
afterEach(() => {
  home.remove();
  rmSync(dir, { recursive: true, force: true });
});

function repairHome(options: Partial<RepairRun> = {}): Promise<Repaired> {
  const emit = (event: Event) => void events.push(event);
  return withIndex(home, (index) =>
    repair({ ...pruneRun(home, index, { replication: { min: 2, max: 2 }, emit }), readData: false, dryRun: false, ...options }),
  );
}

const holdersOfCatalogues = () => withIndex(home, async (index) => snapshotsOf(index).map(({ catalogue }) => [...catalogue.peers].sort()));

/** The directory of a peer is not there while `work` goes on. Each run meets the peer anew, as runs do. */
async function without(name: string, work: () => Promise<unknown>): Promise<void> {
  const [path, aside] = [join(home.dir, 'peers', name), join(home.dir, 'aside')];
  renameSync(path, aside);
  await work();
  renameSync(aside, path);
  home.peers.set(name, new LocalPeer({ owner: TEST_OWNER, name, path, layout: 'car' }));
}

test('a peer that was away at the commit gets each retained catalogue, and the roots of the head, from repair', async () => {
  await without('three', async () => {
    await home.add(dir, TWICE);
    writeFileSync(join(dir, 'more'), 'more');
    await home.add(dir, TWICE);
  });
  assert.deepEqual(await holdersOfCatalogues(), [
    ['one', 'two'],
    ['one', 'two'],
  ]);
  const pinned: string[][] = [];
  (home.peers.get('three') as Peer).pinRoots = async (_, cids) => void pinned.push([...cids]);
  assert.equal((await repairHome({ dryRun: true })).added, 2);
  assert.equal((await repairHome()).added, 2);
  assert.deepEqual(await holdersOfCatalogues(), [
    ['one', 'three', 'two'],
    ['one', 'three', 'two'],
  ]);
  const head = await withIndex(home, async (index) => snapshotsOf(index)[1]);
  assert.deepEqual(pinned.at(-1), [head?.cid, head?.tree]);
  assert.equal((await repairHome()).added, 0);
  await assertWhole(home);
  await assertNoOrphans(home);
});

test('a catalogue that comes to a peer which was added since is counted, and told as mended only where it was lost', async () => {
  await without('three', () => home.add(dir, TWICE));
  assert.equal((await repairHome()).added, 1);
  assert.deepEqual(
    events.filter(({ type }) => type === 'mended'),
    [],
  );
  const [cid] = await withIndex(home, async (index) => snapshotsOf(index).map(({ catalogue }) => catalogue.cid));
  const path = join(home.dir, 'peers', 'three', 'shards');
  const [lost] = (readdirSync(path, { recursive: true }) as string[]).filter((name) => name.includes(cid as string));
  rmSync(join(path, lost as string));
  assert.equal((await repairHome()).mended, 1);
  assert.deepEqual(
    events.flatMap((event) => (event.type === 'mended' ? [event.where] : [])),
    ['three'],
  );
});

test('a peer that is drained, and one that does not answer, get no catalogue', async () => {
  await without('three', () => home.add(dir, TWICE));
  Object.assign(home.peers.get('three') as Peer, { drained: true });
  assert.equal((await repairHome()).added, 0);
  Object.assign(home.peers.get('three') as Peer, { drained: false });
  await without('three', repairHome);
  assert.deepEqual(await holdersOfCatalogues(), [['one', 'two']]);
});

for (const keeps of [true, false]) {
  test(`a holder that does not answer stays one when it ${keeps ? 'will still have' : 'will not have'} the shard on its return: ${keeps}`, async () => {
    await home.add(dir, TWICE);
    const one = home.peers.get('one') as Peer;
    const asked: string[] = [];
    one.keeps = async (cid) => {
      asked.push(cid);
      return keeps;
    };
    const before = await withIndex(home, async (index) => [...index.shards()].filter(({ peers }) => peers.includes('one')));
    assert.ok(before.length > 0);
    await without('one', async () => {
      assert.equal((await repairHome()).added, before.length);
      assert.deepEqual(asked.sort(), before.map(({ cid }) => cid).sort(), 'only where something was changed');
    });
    await withIndex(home, async (index) => {
      for (const { number } of before) assert.equal(index.shard(number)?.peers.includes('one'), keeps);
    });
  });
}

test('a peer that falls silent in the middle is one finding, and none of its replicas counts as damaged', async () => {
  await home.add(dir, { ...TWICE, replication: { min: 3, max: 3 } });
  const three = home.peers.get('three') as Peer;
  const [open, metric] = [three.open.bind(three), three.metric.bind(three)];
  const silence = new ShardctlError('TOO_FEW_PEERS', 'no sign of life');
  let opened = 0;
  three.open = async (cid) => {
    if (++opened > 1) throw silence;
    return await open(cid);
  };
  three.metric = async () => {
    if (opened > 1) throw silence;
    return await metric();
  };
  const { mended, tooFew } = await repairHome();
  assert.deepEqual([mended, tooFew, opened], [0, 0, 2]);
  const findings = events.filter((event) => event.type === 'damage' || event.type === 'no-answer');
  assert.deepEqual(findings, [{ type: 'no-answer', peer: 'three', detail: 'no sign of life' }]);
});

test('a shard whose last good peer falls silent while its copy is made is out of reach, and nothing of it is noted as lost', async () => {
  await home.add(dir, { ...TWICE, allocateBy: ['pinned-to:one+two'] });
  const [shard] = await withIndex(home, async (index) => [...index.shards()]);
  assert.ok(shard !== undefined);
  await home.peers.get('two')?.remove(shard.cid);
  const one = home.peers.get('one') as Peer;
  const [open, metric] = [one.open.bind(one), one.metric.bind(one)];
  const silence = new ShardctlError('TOO_FEW_PEERS', 'no sign of life');
  let opened = 0;
  one.open = async (cid) => {
    const reader = await open(cid);
    if (cid !== shard.cid || ++opened < 2) return reader;
    const falls = () => Promise.reject(silence);
    return failingReader(reader, falls);
  };
  one.metric = async () => {
    if (opened > 1) throw silence;
    return await metric();
  };
  const { lost, tooFew } = await repairHome();
  assert.deepEqual(lost, []);
  assert.ok(tooFew > 0);
  assert.deepEqual(
    events.filter(({ type }) => type === 'no-answer'),
    [{ type: 'no-answer', peer: 'one', detail: 'no sign of life' }],
  );
  await withIndex(home, async (index) => assert.deepEqual(index.shard(shard.number), shard));
});

const HOUR = 3_600_000;

/** As a run at this hour that waits six hours. */
function repairAt(hour: number): Promise<Repaired> {
  return repairHome({
    grace: new Grace({ ms: 6 * HOUR, runs: join(home.dir, 'runs'), now: () => hour * HOUR, emit: (event) => void events.push(event) }),
  });
}

/** Each shard has a replica on `one`. */
const ON_ONE = { ...TWICE, allocateBy: ['pinned-to:one+two'] };

test('a silent peer is waited for until its grace is over, and only then healed around', async () => {
  await home.add(dir, ON_ONE);
  const held = await withIndex(home, async (index) => [...index.shards()].filter(({ peers }) => peers.includes('one')).length);
  await without('one', async () => {
    for (const hour of [100, 103, 105]) {
      const { added, tooFew, away } = await repairAt(hour);
      assert.deepEqual([added, tooFew, away], [0, 0, 0], `hour ${hour}`);
    }
    assert.deepEqual(
      events.filter(({ type }) => type === 'damage' || type === 'no-answer'),
      [],
    );
    const [waiting] = events.filter((event) => event.type === 'waiting');
    assert.deepEqual([waiting?.peer, waiting?.until], ['one', new Date(106 * HOUR).toISOString()]);
    assert.equal((await repairAt(106)).added, held);
  });
  await assertWhole(home);
});

test('a peer that has answered in between is waited for anew', async () => {
  await home.add(dir, ON_ONE);
  await without('one', () => repairAt(100));
  await repairAt(103);
  await without('one', async () => assert.equal((await repairAt(107)).added, 0));
  await without('one', async () => assert.notEqual((await repairAt(113)).added, 0));
});

test('what is only on a peer that is waited for is out of reach, and not lost', async () => {
  await home.add(dir, { shardBytes: SHARD_BYTES, replication: { min: 1, max: 1 }, allocateBy: ['pinned-to:one'] });
  await without('one', async () => {
    const { away, tooFew, lost, added } = await repairAt(100);
    assert.ok(away > 0);
    assert.deepEqual([tooFew, lost, added], [away, [], 0]);
  });
});

test('damage on a peer that answers is mended although another is waited for', async () => {
  await home.add(dir, { ...TWICE, allocateBy: ['pinned-to:two+three'] });
  const [shard] = await withIndex(home, async (index) => [...index.shards()]);
  await home.peers.get('two')?.remove(shard?.cid ?? '');
  await without('one', async () => assert.equal((await repairAt(100)).mended, 1));
});

test('a part that is quick looks at its shards and at nothing else', async () => {
  await home.add(dir, TWICE);
  const [first, second] = await withIndex(home, async (index) => [...index.shards()]);
  assert.ok(first !== undefined && second !== undefined);
  for (const { cid, peers } of [first, second]) await home.peers.get(peers[0] as string)?.remove(cid);
  const { shards, mended } = await repairHome({ part: { shards: new Set([first.cid]), isQuick: true } });
  assert.deepEqual([shards, mended], [1, 1]);
  assert.equal((await repairHome()).mended, 1);
});
