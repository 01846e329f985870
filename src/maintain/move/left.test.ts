/** What is told of shards that cannot be moved, because no whole copy can be read: damage, silence, or that a peer gives no bytes. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { ShardctlError } from '../../core/errors.ts';
import type { Event } from '../../core/events.ts';
import type { Peer } from '../../peer/peer.ts';
import { drainHome } from '../../testing/moving.ts';
import { SHARD_BYTES } from '../../testing/retention.ts';
import { TestHome } from '../../testing/run.ts';
import { writeTree } from '../../testing/tree.ts';
import type { Moved } from './move-run.ts';

/** Each shard is on `one` and `two`, and two others can take it. */
const TWICE = { replication: { min: 2, max: 2 } };

let dir: string;
let home: TestHome;
beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), 'shardctl-left-'));
  home = await TestHome.create({ one: {}, two: {}, three: {}, four: {} });
  writeTree(dir, Object.fromEntries(Array.from({ length: 6 }, (_, i) => [`f${i}`, Buffer.alloc(20_000, `${i} `)])));
  await home.add(dir, { ...TWICE, shardBytes: SHARD_BYTES, allocateBy: ['pinned-to:one+two'] });
});
afterEach(() => {
  home.remove();
  rmSync(dir, { recursive: true, force: true });
});

type Failure = 'silent' | 'back' | 'damaged' | 'closed';

/** Shards can be listed there and not be read from now on. @returns how often one was opened */
function failing(name: string, failure: Failure): () => number {
  const peer = home.peers.get(name) as Peer;
  const metric = peer.metric.bind(peer);
  let opened = 0;
  const errors: Record<Failure, ShardctlError> = {
    silent: new ShardctlError('TOO_FEW_PEERS', `${name} gives no sign of life`),
    back: new ShardctlError('TOO_FEW_PEERS', `${name} restarts`),
    damaged: new ShardctlError('DAMAGE', `${name} is rotten`),
    closed: new ShardctlError('NOT_READABLE', `nothing can be read from ${name}`, { hint: 'say where its Kubo is' }),
  };
  peer.open = async () => {
    opened++;
    throw errors[failure];
  };
  peer.salvage = async () => {
    throw errors[failure];
  };
  peer.metric = async () => {
    if (opened > 0 && failure === 'silent') throw errors[failure];
    return await metric();
  };
  return () => opened;
}

/** @returns what was left, and per kind of event the peers of which it was told, once each */
async function drained(): Promise<{ readonly moved: Moved; readonly damaged: readonly string[]; readonly warned: readonly string[] }> {
  const events: Event[] = [];
  const moved = await drainHome(home, 'one', { ...TWICE, emit: (event) => void events.push(event) });
  const once = (names: readonly string[]) => [...new Set(names)].sort();
  return {
    moved,
    damaged: once(events.flatMap((event) => (event.type === 'damage' ? [event.where] : []))),
    warned: once(
      events.flatMap((event) =>
        event.type === 'warning' && / stays where it is/.test(event.message) ? [`${event.peer}: ${event.hint}`] : [],
      ),
    ),
  };
}

test('what no peer gives as it is set up stays where it is, is told with what would help, and is no damage', async () => {
  for (const name of ['one', 'two']) failing(name, 'closed');
  const { moved, damaged, warned } = await drained();
  assert.ok(moved.left > 0);
  assert.deepEqual([moved.unreadable, damaged], [0, []]);
  assert.deepEqual(warned, ['one: say where its Kubo is', 'two: say where its Kubo is']);
});

test('what a daemon did not give while it restarted stays where it is, and is no damage', async () => {
  for (const name of ['one', 'two']) failing(name, 'back');
  const { moved, damaged, warned } = await drained();
  assert.ok(moved.left > 0);
  assert.deepEqual([moved.unreadable, damaged, warned], [0, [], ['one: undefined', 'two: undefined']]);
});

for (const [failure, hint] of [
  ['silent', 'undefined'],
  ['back', 'undefined'],
  ['closed', 'say where its Kubo is'],
] as const) {
  test(`damage is told of the peer that has it, and not of one that is ${failure}`, async () => {
    failing('one', 'damaged');
    failing('two', failure);
    const { moved, damaged, warned } = await drained();
    assert.deepEqual([moved.unreadable, damaged, warned], [moved.left, ['one'], [`two: ${hint}`]]);
  });
}

test('nothing more is read from a peer that fell silent, and each shard that stays for it is told of', async () => {
  failing('one', 'damaged');
  const opened = failing('two', 'silent');
  const { moved } = await drained();
  assert.ok(moved.left > 2);
  // As many shards as are moved side by side may have begun to read there.
  assert.ok(opened() < moved.left, `${opened()} of ${moved.left}`);
});

test('damage of the only copy that answers is told, and the silence of the peer that may have a whole one as well', async () => {
  failing('one', 'damaged');
  const two = home.peers.get('two') as Peer;
  const silence = new ShardctlError('TOO_FEW_PEERS', 'two is away');
  const away = () => Promise.reject(silence);
  Object.assign(two, { metric: away, open: away, has: away, list: () => ({ [Symbol.asyncIterator]: () => ({ next: away }) }) });
  const { damaged, warned } = await drained();
  assert.deepEqual(damaged, ['one']);
  assert.ok(warned.some((told) => told.startsWith('two: ')));
});
