import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { Holding } from '../../storing/holdings.ts';
import { type BalancedPeer, balance } from './balance.ts';

const MIB = 2 ** 20;

const holding = (number: number, bytes: number, peers: readonly string[]): Holding => ({
  cid: `cid${number}`,
  label: `test ${number}`,
  bytes,
  blocks: 1,
  carBytes: bytes,
  peers,
  isCatalogue: false,
  shards: [number],
  snapshots: [],
});

interface World {
  readonly peers: readonly BalancedPeer[];
  readonly holdings: readonly Holding[];
}

function balanced({ peers, holdings }: World, allocateBy: readonly string[]) {
  const request = {
    holdings,
    confirmed: ({ peers: names }: Holding) => names,
    peers,
    allocateBy: () => allocateBy,
    byWeight: allocateBy.includes('weight'),
  };
  const moves = balance(request);
  const holders = new Map(holdings.map((it) => [it, [...it.peers]]));
  for (const { holding: moved, from, to } of moves) {
    const names = holders.get(moved) as string[];
    assert.ok(names.includes(from) && !names.includes(to), 'a move is from a holder to a peer that has none');
    names[names.indexOf(from)] = to;
  }
  return { moves, holders };
}

const bytesOn = (name: string, holders: ReadonlyMap<Holding, readonly string[]>) =>
  [...holders].reduce((sum, [{ carBytes }, names]) => sum + (names.includes(name) ? carBytes : 0), 0);

/** Peers of which some are new and empty, with equal shards on two of the old ones each. */
const world: fc.Arbitrary<World> = fc
  .record({
    old: fc.array(fc.record({ room: fc.integer({ min: 0, max: 400 }), zone: fc.constantFrom('a', 'b', 'c') }), {
      minLength: 2,
      maxLength: 4,
    }),
    fresh: fc.array(fc.record({ room: fc.integer({ min: 0, max: 400 }), zone: fc.constantFrom('a', 'b', 'c') }), {
      minLength: 0,
      maxLength: 3,
    }),
    shards: fc.array(fc.tuple(fc.nat(), fc.nat()), { maxLength: 60 }),
  })
  .map(({ old, fresh, shards }) => ({
    peers: [...old, ...fresh].map(({ room, zone }, i) => ({ name: `p${i}`, tags: { zone }, room: room * MIB, weight: 1 })),
    holdings: shards.map(([a, b], i) => holding(i, 4 * MIB, [...new Set([`p${a % old.length}`, `p${b % old.length}`])])),
  }));

test('rebalancing keeps the number of replicas, fills no peer, and never puts replicas closer together than they were', () => {
  fc.assert(
    fc.property(world, fc.constantFrom(['freespace'], ['tag:zone', 'freespace'], ['tag:zone', 'weight']), (it, allocateBy) => {
      const { holders, moves } = balanced(it, allocateBy);
      for (const [{ peers }, names] of holders) {
        assert.equal(new Set(names).size, peers.length);
        const zones = (of: readonly string[]) => new Set(of.map((name) => it.peers.find((peer) => peer.name === name)?.tags.zone)).size;
        if (allocateBy[0] === 'tag:zone') assert.ok(zones(names) >= zones(peers));
      }
      for (const { name, room } of it.peers) {
        const given = moves.filter(({ to }) => to === name).reduce((sum, { holding: { carBytes } }) => sum + carBytes, 0);
        assert.ok(given <= room, `${name} was given ${given} of ${room}`);
      }
    }),
  );
});

test('what was balanced stays as it is, unless there was no room', () => {
  fc.assert(
    fc.property(world, fc.constantFrom(['freespace'], ['tag:zone', 'freespace']), (it, allocateBy) => {
      // What gives a shard away has its room only afterwards: a second run may then do what the first could not.
      const roomy = it.peers.map((peer) => ({ ...peer, room: peer.room + 600 * MIB }));
      const { holders } = balanced({ ...it, peers: roomy }, allocateBy);
      const peers = roomy.map((peer) => {
        const before = bytesOn(peer.name, new Map(it.holdings.map((one) => [one, one.peers])));
        return { ...peer, room: peer.room + before - bytesOn(peer.name, holders) };
      });
      const again = balanced({ peers, holdings: it.holdings.map((one) => ({ ...one, peers: holders.get(one) as string[] })) }, allocateBy);
      assert.deepEqual(again.moves, []);
    }),
    { numRuns: 300 },
  );
});

test('a peer that has joined gets its share, from each of the others what it has too much, and nothing else moves', () => {
  const peers = ['a', 'b', 'new'].map((name) => ({ name, tags: {}, room: 400 * MIB, weight: 1 }));
  const holdings = Array.from({ length: 60 }, (_, i) => holding(i, 4 * MIB, [i % 2 === 0 ? 'a' : 'b']));
  // 120 MiB on each of two, and the new one has 400 MiB where they had 520 each.
  const { moves, holders } = balanced({ peers, holdings }, ['freespace']);
  const share = (240 * 400) / (400 + 520 + 520);
  assert.ok(Math.abs(bytesOn('new', holders) / MIB - share) <= 4, `${bytesOn('new', holders) / MIB} of ${share}`);
  assert.ok(moves.every(({ to }) => to === 'new'));
  assert.ok(Math.abs(moves.filter(({ from }) => from === 'a').length - moves.length / 2) <= 1);
});

test('weights say how much, where they are asked for', () => {
  const peers = [
    { name: 'a', tags: {}, room: 4_000 * MIB, weight: 1 },
    { name: 'b', tags: {}, room: 400 * MIB, weight: 3 },
  ];
  const holdings = Array.from({ length: 40 }, (_, i) => holding(i, 4 * MIB, ['a']));
  const { holders } = balanced({ peers, holdings }, ['weight']);
  assert.deepEqual([bytesOn('a', holders), bytesOn('b', holders)], [40 * MIB, 120 * MIB]);
});

test('a zone without a replica gets one from a zone with two, as soon as there is a peer in it', () => {
  const peers = ['a1', 'a2', 'b1'].map((name) => ({ name, tags: { zone: name.charAt(0) }, room: 400 * MIB, weight: 1 }));
  const holdings = Array.from({ length: 10 }, (_, i) => holding(i, 4 * MIB, ['a1', 'a2']));
  const { holders, moves } = balanced({ peers, holdings }, ['tag:zone', 'freespace']);
  for (const names of holders.values()) assert.ok(names.includes('b1'), names.join());
  assert.equal(moves.length, 10);
});

test('a peer that joins a full zone gets its part of what that zone has, though the zones cannot be made even', () => {
  const peers = [
    { name: 'a1', tags: { zone: 'a' }, room: 10 * MIB, weight: 1 },
    { name: 'b1', tags: { zone: 'b' }, room: 400 * MIB, weight: 1 },
    { name: 'b2', tags: { zone: 'b' }, room: 480 * MIB, weight: 1 },
  ];
  const holdings = Array.from({ length: 20 }, (_, i) => holding(i, 4 * MIB, ['a1', 'b1']));
  const { holders } = balanced({ peers, holdings }, ['tag:zone', 'freespace']);
  assert.deepEqual([bytesOn('a1', holders), bytesOn('b1', holders), bytesOn('b2', holders)], [80 * MIB, 40 * MIB, 40 * MIB]);
});

test('peers that the rules exclude take nothing', () => {
  const peers = ['a', 'b', 'c'].map((name) => ({ name, tags: {}, room: 400 * MIB, weight: 1 }));
  const holdings = Array.from({ length: 30 }, (_, i) => holding(i, 4 * MIB, ['a']));
  const { holders } = balanced({ peers, holdings }, ['pinned-to:a+b', 'freespace']);
  assert.equal(bytesOn('c', holders), 0);
  assert.ok(bytesOn('b', holders) > 40 * MIB);
});
