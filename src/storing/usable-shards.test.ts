import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ShardctlError } from '../core/errors.ts';
import type { PlacedShard } from '../core/model.ts';
import { sleep } from '../core/waiting.ts';
import type { Index } from '../index/index.ts';
import type { Peer } from '../peer/peer.ts';
import { UsableShards } from './usable-shards.ts';

const NAMES = ['a', 'b', 'c'] as const;

class FakePeer {
  readonly name: string;
  readonly lists = new Set<string>();
  state: 'answers' | 'fails' | 'hangs' | 'is slow' = 'answers';

  constructor(name: string) {
    this.name = name;
  }

  async *list(): AsyncGenerator<string> {
    if (this.state === 'fails') throw new ShardctlError('TOO_FEW_PEERS', `${this.name} is not mounted`);
    if (this.state === 'hangs') await new Promise<never>(() => {});
    for (const cid of this.lists) {
      if (this.state === 'is slow') await sleep(15_000);
      yield cid;
    }
  }
}

interface World {
  readonly peers: Map<string, FakePeer>;
  readonly load: (silent?: readonly string[]) => Promise<UsableShards>;
}

/** @param recorded for each shard the peers that are recorded to have it; `gone` is not set up any more */
function world(recorded: readonly (readonly string[])[]): World {
  const peers = new Map(NAMES.map((name) => [name as string, new FakePeer(name)]));
  const shards = recorded.map((names, number): PlacedShard => ({ cid: `cid${number}`, bytes: 1, blocks: 1, carBytes: 1, peers: names }));
  const index = { shard: (number: number) => shards[number] } as Partial<Index> as Index;
  const load = (silent: readonly string[] = []) =>
    UsableShards.load(
      index,
      peers as ReadonlyMap<string, unknown> as ReadonlyMap<string, Peer>,
      new Map(silent.map((name) => [name, `${name} is away`])),
    );
  return { peers, load };
}

test('a shard is lost when each peer that is recorded to have it answers and does not list it; when one is silent, nobody says so', async () => {
  const where = fc.subarray(['a', 'b', 'c', 'gone']);
  const plan = fc.record({
    recorded: fc.array(where, { minLength: 1, maxLength: 4 }),
    listed: fc.array(fc.subarray([...NAMES])),
    failing: fc.subarray([...NAMES]),
  });
  await fc.assert(
    fc.asyncProperty(plan, async ({ recorded, listed, failing }) => {
      const { peers, load } = world(recorded);
      for (const [number, names] of listed.entries()) for (const name of names) peers.get(name)?.lists.add(`cid${number}`);
      for (const peer of peers.values()) if (failing.some((name) => name === peer.name)) peer.state = 'fails';
      const usable = await load();
      const fails = (name: string) => failing.some((it) => it === name);
      const missing: number[] = [];
      for (const [number, names] of recorded.entries()) {
        const holders = names.filter((name) => !fails(name) && listed[number]?.some((it) => it === name) === true);
        assert.deepEqual(usable.holdersOf({ cid: `cid${number}`, bytes: 1, blocks: 1, carBytes: 1, peers: names }), holders);
        assert.equal(usable.isHeld(number), holders.length > 0);
        assert.equal(usable.replicas(number), holders.length + names.filter(fails).length);
        if (holders.length === 0) missing.push(number);
      }
      const all = recorded.map((_, number) => number);
      if (missing.some((number) => recorded[number]?.some(fails)))
        assert.throws(() => usable.lost(all), { code: 'TOO_FEW_PEERS', message: /is not mounted/ });
      else assert.deepEqual(usable.lost(all), missing);
    }),
  );
});

test('a peer that is asked again has what it lists now, and nothing when its list does not come in time', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const { peers, load } = world([['a'], ['b'], ['a', 'c']]);
  for (const [number, peer] of [...peers.values()].entries()) peer.lists.add(`cid${number}`);
  const usable = await load(['c']);
  assert.deepEqual([0, 1, 2].map(usable.isHeld), [true, true, false]);
  usable.placed({ cid: 'cid2', peers: ['a'] });
  assert.equal(usable.isHeld(2), true);

  const [a, b] = [...peers.values()];
  assert.ok(a !== undefined && b !== undefined);
  a.lists.clear();
  b.state = 'hangs';
  await usable.askAgain(['a']);
  assert.deepEqual([0, 1, 2].map(usable.isHeld), [false, true, false]);
  const asked = usable.askAgain(['b']);
  await new Promise(setImmediate);
  t.mock.timers.tick(20_000);
  await asked;
  assert.deepEqual([0, 1, 2].map(usable.isHeld), [false, false, false]);
  assert.deepEqual(usable.silentOf([0, 1, 2]), ['b', 'c']);
});

test('of several peers that are asked again, one that hangs does not take along the lists of the others', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const { peers, load } = world([['a'], ['b']]);
  const usable = await load();
  const [a, b] = [...peers.values()];
  assert.ok(a !== undefined && b !== undefined);
  a.lists.add('cid0');
  b.state = 'hangs';
  const asked = usable.askAgain(['a', 'b']);
  await new Promise(setImmediate);
  t.mock.timers.tick(20_000);
  await asked;
  assert.deepEqual([0, 1].map(usable.isHeld), [true, false]);
  assert.deepEqual(usable.silentOf([0, 1]), ['b']);
});

test('a peer that is asked again is waited for as long as its list goes on', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const { peers, load } = world([['a'], ['a'], ['a']]);
  const a = peers.get('a') as FakePeer;
  for (const number of [0, 1, 2]) a.lists.add(`cid${number}`);
  const usable = await load();
  a.state = 'is slow';
  let isOver = false;
  const asked = usable.askAgain(['a']).then(() => (isOver = true));
  for (let step = 0; step < 9; step++) {
    for (let turn = 0; turn < 10; turn++) await new Promise(setImmediate);
    assert.equal(isOver, false, `after ${step * 5} s`);
    t.mock.timers.tick(5000);
  }
  await asked;
  assert.deepEqual([0, 1, 2].map(usable.isHeld), [true, true, true]);
});
