import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { ShardctlError } from '../../core/errors.ts';
import type { Event } from '../../core/events.ts';
import { LocalPeer } from '../../peer/local/local.ts';
import type { Peer } from '../../peer/peer.ts';
import { RESERVE_BYTES } from '../../storing/allocate/allocators.ts';
import { holdingsOf } from '../../storing/holdings.ts';
import { oneIn } from '../../testing/depth.ts';
import { drainHome, rebalanceHome, wholeCopies } from '../../testing/moving.ts';
import { TEST_OWNER } from '../../testing/owner.ts';
import { assertNoOrphans, assertWhole, pruneHome, SHARD_BYTES, withIndex } from '../../testing/retention.ts';
import { TestHome } from '../../testing/run.ts';
import { writeTree } from '../../testing/tree.ts';

const sample = oneIn(4);

const TWICE = { replication: { min: 2, max: 2 } };

let dir: string;
let home: TestHome;
beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), 'shardctl-move-'));
  home = await TestHome.create({ one: {}, two: {} });
  writeTree(dir, Object.fromEntries(Array.from({ length: 12 }, (_, i) => [`f${i}`, Buffer.alloc(20_000, `${i} `)])));
  await home.add(dir, { ...TWICE, shardBytes: SHARD_BYTES });
  // A second repository that needs the very same shards.
  await home.add(dir, { ...TWICE, shardBytes: SHARD_BYTES, repository: 'twin' });
});
afterEach(() => {
  home.remove();
  rmSync(dir, { recursive: true, force: true });
});

async function join3(name = 'three', tags: Record<string, string> = {}): Promise<void> {
  home.peers.set(name, await LocalPeer.create({ owner: TEST_OWNER, name, path: join(home.dir, 'peers', name), layout: 'car', tags }));
}

async function heldOn(name: string): Promise<string[]> {
  const cids: string[] = [];
  for await (const cid of (home.peers.get(name) as Peer).list()) cids.push(cid);
  return cids;
}

const holdings = () => withIndex(home, async (index) => holdingsOf(index));

/** The peer, but its puts do something else. */
function withPut(name: string, put: Peer['put']): void {
  const peer = home.peers.get(name) as Peer;
  const bound = { name, kind: peer.kind, tags: peer.tags, put } as Partial<Peer>;
  for (const method of ['metric', 'has', 'open', 'list', 'remove'] as const) Object.assign(bound, { [method]: peer[method].bind(peer) });
  home.peers.set(name, bound as Peer);
}

test('a drained peer has nothing left, every shard has as many replicas as before, and one that two repositories need moved once', {
  skip: sample(),
}, async () => {
  await join3();
  const before = await holdings();
  const planned = await drainHome(home, 'one', { ...TWICE, dryRun: true });
  assert.deepEqual(await holdings(), before, 'a dry run changes nothing');
  const moved = await drainHome(home, 'one', TWICE);
  assert.deepEqual({ ...moved, dryRun: true }, planned);
  // Two copies of each catalogue: it goes to every peer, so one more of each is copied.
  assert.equal(moved.copied, before.length);
  assert.deepEqual(await heldOn('one'), []);
  for (const count of (await wholeCopies(home)).values()) assert.equal(count, 2);
  await assertWhole(home);
  await assertNoOrphans(home);
  assert.deepEqual(readdirSync(join(home.dir, 'spool')), []);
});

test('a drain that finds no place moves nothing, and says what each peer lacks', { skip: sample() }, async () => {
  // Room for two shards or so beyond what is never planned with.
  const capacity = RESERVE_BYTES + 100_000;
  home.peers.set(
    'three',
    await LocalPeer.create({ owner: TEST_OWNER, name: 'three', path: join(home.dir, 'peers', 'three'), layout: 'car', capacity }),
  );
  const before = await holdings();
  await assert.rejects(drainHome(home, 'one', TWICE), { code: 'NO_SPACE', message: /of peer one find no place.*three has/ });
  assert.deepEqual(await holdings(), before);
});

test('without another peer a drain is refused while its replicas are needed, and is done when they are not', {
  skip: sample(),
}, async () => {
  await assert.rejects(drainHome(home, 'one', TWICE), { code: 'TOO_FEW_PEERS' });
  const moved = await drainHome(home, 'one', { replication: { min: 1, max: 2 } });
  assert.equal(moved.copied, 0);
  assert.deepEqual(await heldOn('one'), []);
  await assertWhole(home);
});

test('a peer that does not answer is not drained: its shards are repaired from elsewhere', { skip: sample() }, async () => {
  await join3();
  rmSync(join(home.dir, 'peers', 'one', 'peer.json'));
  const later = TestHome.at(home.dir, ['one', 'two', 'three']);
  await assert.rejects(drainHome(later, 'one', TWICE), { code: 'TOO_FEW_PEERS', message: /cannot be drained/ });
});

test('another peer takes what the chosen one cannot, and what cannot be read stays and is named', { skip: sample() }, async () => {
  await join3();
  await join3('four');
  withPut('three', async () => {
    throw new ShardctlError('IO', 'disk error');
  });
  const events: Event[] = [];
  const moved = await drainHome(home, 'one', { ...TWICE, emit: (event) => void events.push(event) });
  assert.equal(moved.left, 0);
  assert.deepEqual(await heldOn('three'), []);
  assert.equal((await heldOn('four')).length, moved.copied);
  await assertWhole(home);
});

test('what is left is told by its cause: no peer has room, no whole copy can be read, a peer does not answer', {
  skip: sample(),
}, async () => {
  const causes: [putFails: 'NO_SPACE' | 'TOO_FEW_PEERS' | undefined, causes: readonly string[]][] = [
    ['NO_SPACE', ['full']],
    ['TOO_FEW_PEERS', []],
    [undefined, ['unreadable']],
  ];
  for (const [code, wanted] of causes) {
    await join3();
    if (code === undefined) for (const name of ['one', 'two']) damageAll(name);
    else
      withPut('three', async () => {
        throw new ShardctlError(code, 'it takes nothing');
      });
    const moved = await drainHome(home, 'one', TWICE);
    assert.ok(moved.left > 0);
    const found = (['unreadable', 'full'] as const).filter((cause) => moved[cause] > 0);
    assert.deepEqual(found, wanted);
  }
});

test('a source that falls silent in the middle is no damage: what it has is left where it is, and is told as out of reach', async () => {
  await join3();
  let isSilent = false;
  for (const name of ['one', 'two']) {
    const peer = home.peers.get(name) as Peer;
    const metric = peer.metric.bind(peer);
    const silence = new ShardctlError('TOO_FEW_PEERS', `${name} gives no sign of life`);
    peer.open = async () => {
      isSilent = true;
      throw silence;
    };
    peer.salvage = peer.open;
    peer.metric = async () => {
      if (isSilent) throw silence;
      return await metric();
    };
  }
  const events: Event[] = [];
  const moved = await drainHome(home, 'one', { ...TWICE, emit: (event) => void events.push(event) });
  assert.ok(moved.left > 0);
  assert.deepEqual([moved.unreadable, moved.full], [0, 0]);
  assert.deepEqual(
    events.filter(({ type }) => type === 'damage'),
    [],
  );
  const told = events.flatMap((event) => (event.type === 'warning' && event.peer !== undefined ? [event.peer] : []));
  assert.deepEqual([...new Set(told)].sort(), ['one', 'two']);
});

/** Its CARs have their names and sizes, and nothing in them. */
function damageAll(name: string): void {
  const shards = join(home.dir, 'peers', name, 'shards');
  for (const entry of readdirSync(shards, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name);
    if (entry.isFile() && path.endsWith('.car')) writeFileSync(path, Buffer.alloc(statSync(path).size));
  }
}

test('a peer that joins gets its share and the catalogues, nothing is held twice, and a second run has nothing to do', {
  skip: sample(),
}, async () => {
  await join3();
  const planned = await rebalanceHome(home, { ...TWICE, dryRun: true });
  const moved = await rebalanceHome(home, TWICE);
  assert.deepEqual({ ...moved, dryRun: true }, planned);
  const bytes = moved.peers.map(({ after }) => after);
  assert.ok(Math.max(...bytes) - Math.min(...bytes) <= 2 * SHARD_BYTES, `${bytes}`);
  const catalogues = (await holdings()).filter(({ isCatalogue }) => isCatalogue);
  for (const { peers } of catalogues) assert.deepEqual(peers, ['one', 'three', 'two']);
  await assertWhole(home);
  await assertNoOrphans(home);
  const again = await rebalanceHome(home, TWICE);
  assert.deepEqual([again.copied, again.removed], [0, 0]);
});

test('what a dead run left on a drained peer goes with the next drain; prune has nothing to do then', { skip: sample() }, async () => {
  await join3();
  const [first] = await holdings();
  await withIndex(home, (index) => index.noteStray({ cid: first?.cid ?? '', peers: ['three'] }));
  await drainHome(home, 'one', TWICE);
  await pruneHome(home, TWICE);
  await assertNoOrphans(home);
});
