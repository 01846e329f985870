import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate, setTimeout } from 'node:timers/promises';
import { ShardctlError } from '../../core/errors.ts';
import type { Event } from '../../core/events.ts';
import type { Metric } from '../../core/model.ts';
import type { Peer } from '../../peer/peer.ts';
import { Ledger, type LedgerOptions } from './ledger.ts';

const GIB = 2 ** 30;
const MIB = 2 ** 20;
const ONCE = { min: 1, max: 1 };
const EVERY = { min: -1, max: -1 };

/** A peer that only says how much it can take. */
class FakePeer {
  readonly kind = 'local';
  readonly name: string;
  readonly tags = {};
  readonly drained: boolean;
  free: number;
  at = 0;
  failure: ShardctlError | undefined;
  asked = 0;

  constructor(name: string, free: number, drained = false) {
    this.name = name;
    this.free = free;
    this.drained = drained;
  }

  async metric(): Promise<Metric> {
    this.asked++;
    if (this.failure !== undefined) throw this.failure;
    return { freeBytes: this.free, usedBytes: 0, at: this.at };
  }
}

const lost = () => new ShardctlError('TOO_FEW_PEERS', 'is the disk mounted?');

class World {
  now = 1_000;
  readonly events: Event[] = [];

  open(peers: FakePeer[], options: Partial<LedgerOptions> = {}): Promise<Ledger> {
    return Ledger.open({
      peers: new Map(peers.map((peer) => [peer.name, peer as unknown as Peer])),
      replication: ONCE,
      allocateBy: ['freespace'],
      emit: (event) => void this.events.push(event),
      now: () => this.now,
      ...options,
    });
  }
}

const shard = (cid: string, bytes = 100 * MIB) => ({ cid, bytes, replication: ONCE });

test('many runs of one shard each spread over the peers, instead of all choosing the one with most space', async () => {
  const got: Record<string, number> = { large: 0, small: 0 };
  for (let run = 0; run < 200; run++) {
    const ledger = await new World().open([new FakePeer('large', 30 * GIB), new FakePeer('small', 10 * GIB)]);
    for (const name of ledger.allocate(shard(`cid${run}`))) got[name] = (got[name] ?? 0) + 1;
  }
  // A quarter of the space; by a hash of the shard, so not exactly.
  assert.ok((got.small as number) > 15 && (got.small as number) < 70, JSON.stringify(got));
});

test('what was promised is debited until a metric from after its arrival covers it', async () => {
  const world = new World();
  const peer = new FakePeer('a', 250 * MIB);
  peer.at = 1_000;
  const ledger = await world.open([peer]);
  ledger.allocate(shard('one'));
  world.now = 2_000;
  await ledger.arrived('a', 100 * MIB);
  ledger.allocate(shard('two'));
  await assert.rejects(async () => ledger.allocate(shard('three')), { code: 'NO_SPACE' }, 'the old metric still says 250 MiB');
  // Another one has filled the peer meanwhile: only the new metric counts, and what is still under way.
  peer.at = 3_000;
  peer.free = 400 * MIB;
  world.now = 20_000;
  await ledger.refresh();
  ledger.allocate(shard('three'));
  ledger.allocate(shard('four'));
  assert.throws(() => ledger.allocate(shard('five')), { code: 'NO_SPACE', message: /a has 84\.0 MiB to give/ });
});

test('what a peer did not get is not debited', async () => {
  const ledger = await new World().open([new FakePeer('a', 150 * MIB)]);
  ledger.allocate(shard('one'));
  assert.throws(() => ledger.allocate(shard('two')), { code: 'NO_SPACE' });
  ledger.release('a', 100 * MIB);
  assert.deepEqual(ledger.allocate(shard('two')), ['a']);
});

test('a peer that does not answer is left out; too few that answer stop the run before it begins', async () => {
  const world = new World();
  const gone = new FakePeer('gone', GIB);
  gone.failure = lost();
  const ledger = await world.open([new FakePeer('there', GIB), gone]);
  assert.deepEqual([...ledger.freeBytes().keys()], ['there']);
  assert.ok(world.events.some((event) => event.type === 'warning' && event.message.includes('gone')));
  await assert.rejects(world.open([new FakePeer('there', GIB), gone], { replication: { min: 2, max: 2 } }), {
    code: 'TOO_FEW_PEERS',
    message: /2 replicas.*1 of 2/,
  });
});

test('a peer that answers later joins in, one that falls silent or fails gets nothing more', async () => {
  const world = new World();
  const [a, b] = [new FakePeer('a', GIB), new FakePeer('b', 100 * GIB)];
  b.failure = lost();
  const ledger = await world.open([a, b]);
  assert.deepEqual(ledger.allocate(shard('one')), ['a']);
  b.failure = undefined;
  world.now += 60_000;
  [a.at, b.at] = [world.now, world.now];
  await ledger.refresh();
  a.failure = lost();
  await ledger.arrived('a', 100 * MIB);
  assert.deepEqual(ledger.allocate(shard('two')), ['b']);
  ledger.exclude('b');
  world.now += 60_000;
  await ledger.refresh();
  assert.throws(() => ledger.allocate(shard('three')), { code: 'TOO_FEW_PEERS', message: /a does not answer, b failed/ });
});

test('every peer is asked again while placing, also one that gets nothing, and none of them twice within seconds', async () => {
  const world = new World();
  const [a, b] = [new FakePeer('a', GIB), new FakePeer('b', GIB)];
  const ledger = await world.open([a, b]);
  world.now += 5_000;
  await ledger.refresh();
  assert.deepEqual([a.asked, b.asked], [1, 1]);
  world.now += 6_000;
  await ledger.refresh();
  assert.deepEqual([a.asked, b.asked], [2, 2]);
});

test('a peer that hangs when it is asked does not hold a shard back for long', async () => {
  const world = new World();
  const [a, hanging] = [new FakePeer('a', GIB), new FakePeer('hanging', GIB)];
  const ledger = await world.open([a, hanging]);
  hanging.metric = () => new Promise<Metric>(() => {});
  world.now += 60_000;
  await ledger.refresh();
  assert.equal(ledger.allocate(shard('one')).length, 1);
});

test('peers that fail are named in the order of the settings, whichever of them failed first', async () => {
  const world = new World();
  const failing = ['b', 'c', 'd'].map((name, at) => {
    const peer = new FakePeer(name, GIB);
    peer.metric = async () => {
      for (let turn = 0; turn < 3 - at; turn++) await setImmediate();
      throw new ShardctlError('TOO_FEW_PEERS', `${name} is not there`);
    };
    return peer;
  });
  const ledger = await world.open([new FakePeer('a', GIB), ...failing]);
  assert.deepEqual([...ledger.silent().keys()], ['b', 'c', 'd']);
  const told = world.events.flatMap((event) => (event.type === 'warning' ? [event.message] : []));
  assert.deepEqual(
    told,
    ['b', 'c', 'd'].map((name) => `peer ${name} is left out: ${name} is not there`),
  );
  await assert.rejects(
    world.open([new FakePeer('a', GIB), ...failing], { replication: EVERY }),
    /b is not there; c is not there; d is not there/,
  );
});

test('a peer that hangs at the start is waited for while it is needed, else it joins in when it answers', async () => {
  const world = new World();
  const slow = () => {
    const peer = new FakePeer('slow', GIB);
    let answer = () => {};
    peer.metric = () => new Promise((resolve) => (answer = () => resolve({ freeBytes: GIB, usedBytes: 0, at: 0 })));
    return { peer, answer: () => answer() };
  };
  const [one, two] = [slow(), slow()];
  const ledger = await world.open([new FakePeer('a', GIB), one.peer], { startMs: 10 });
  assert.match(JSON.stringify(world.events), /peer slow is left out: it has not answered/);
  assert.deepEqual([...ledger.silent().keys()], ['slow']);
  one.answer();
  await setImmediate();
  assert.deepEqual([[...ledger.silent().keys()], ledger.freeBytes().size], [[], 2]);

  const needed = world.open([new FakePeer('a', GIB), two.peer], { startMs: 10, replication: { min: 2, max: 2 } });
  assert.equal(await Promise.race([needed, setTimeout(50, 'waiting')]), 'waiting');
  two.answer();
  assert.equal((await needed).freeBytes().size, 2);
});

test('a figure that cannot be, or is from long ago, is none; less than nothing is nothing', async () => {
  for (const free of [Number.NaN, Number.POSITIVE_INFINITY, 2 ** 60]) {
    await assert.rejects(new World().open([new FakePeer('a', free)]), { code: 'TOO_FEW_PEERS', message: /which cannot be/ });
  }
  const world = new World();
  world.now = 3_600_000;
  await assert.rejects(world.open([new FakePeer('a', GIB)]), { code: 'TOO_FEW_PEERS', message: /60 minutes/ });
  const ledger = await new World().open([new FakePeer('full', -5)]);
  assert.deepEqual(ledger.freeBytes(), new Map([['full', 0]]));
});

test('-1 means every peer, and those that are drained are none of them', async () => {
  const peers = ['x', 'y', 'z'].map((name) => new FakePeer(name, GIB));
  const ledger = await new World().open([...peers, new FakePeer('old', GIB, true)], { replication: EVERY });
  assert.deepEqual(ledger.allocate({ ...shard('c'), replication: EVERY }).sort(), ['x', 'y', 'z']);
  const full = await new World().open([...peers, new FakePeer('full', 0)], { replication: EVERY });
  assert.throws(() => full.allocate({ ...shard('c'), replication: EVERY }), { code: 'NO_SPACE' });
});

test('room for a shard is what as many peers have as it needs, and a lack of it names them', async () => {
  const ledger = await new World().open([new FakePeer('a', 200 * MIB), new FakePeer('b', 120 * MIB)]);
  assert.equal(ledger.roomFor(1, ONCE), 184 * MIB);
  assert.equal(ledger.roomFor(1, { min: 2, max: 2 }), 104 * MIB);
  assert.throws(() => ledger.roomFor(105 * MIB, { min: 2, max: 2 }), { code: 'NO_SPACE', message: /b has 104\.0 MiB to give/ });
});

test('a peer that an allocator names and that was taken out is passed over; where no other may have shards, that is said', async () => {
  const peers = [new FakePeer('a', GIB), new FakePeer('c', GIB)];
  const pinned = await new World().open(peers, { allocateBy: ['pinned-to:a+b', 'prefer:b'] });
  assert.deepEqual(pinned.allocate(shard('s')), ['a']);
  await assert.rejects(new World().open(peers, { allocateBy: ['prefer:b', 'pinned-to:b'] }), {
    code: 'BAD_CONFIG',
    message: /pinned-to:b leaves no peer/,
  });
  // Nobody has just typed it: a note of another home was believed once.
  await assert.rejects(new World().open(peers, { allocateBy: ['freespace,freespace'] }), {
    code: 'BAD_CONFIG',
    hint: /allocate-by --unset.*known allocators/,
  });
});
