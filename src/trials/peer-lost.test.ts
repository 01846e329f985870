/** What a run makes of a peer that is lost while it goes on. */
import assert from 'node:assert/strict';
import { renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import type { Event } from '../core/events.ts';
import { LocalPeer } from '../peer/local/local.ts';
import { beginEach, tick } from '../testing/each.ts';
import { TEST_OWNER } from '../testing/owner.ts';
import { freshRoot, type Ran, TestHome } from '../testing/run.ts';
import { writeTree } from '../testing/tree.ts';

const KIB = 1024;

let dir: string;
let three: TestHome;
beginEach((its) => {
  dir = its;
});
beforeEach(async () => {
  three = await TestHome.create({ one: {}, two: {}, three: {} });
  const files = Object.fromEntries(Array.from({ length: 12 }, (_, i) => [`f${i}`, Buffer.alloc(40 * KIB, `${i} `)]));
  writeTree(dir, { a: files, b: files });
});
afterEach(() => three.remove());

/** Unmounts one of the peers that get the first shard, once it is placed. */
function unmountingAfterFirst(): { readonly onEvent: (event: Event) => void; readonly mount: () => string } {
  let name = '';
  const path = () => join(three.dir, 'peers', name);
  return {
    onEvent: (event) => {
      if (event.type !== 'placed' || name !== '') return;
      name = event.peers[0] as string;
      renameSync(path(), `${path()}-away`);
    },
    mount: () => {
      renameSync(`${path()}-away`, path());
      return name;
    },
  };
}

const warnings = ({ events }: Ran) => events.flatMap((event) => (event.type === 'warning' ? [event.message] : []));

test('nothing is committed that only a peer has which was lost meanwhile; run again, it is stored elsewhere', async () => {
  const { onEvent, mount } = unmountingAfterFirst();
  const options = { shardBytes: 64 * KIB };
  await assert.rejects(three.add(dir, options, onEvent), {
    code: 'TOO_FEW_PEERS',
    message: /only on (one|two|three), which cannot be reached/,
  });
  const { summary } = await three.add(dir, options);
  assert.equal(summary.tree, await freshRoot(dir));
  assert.deepEqual(await three.damage(), []);
  mount();
  assert.equal((await three.add(dir, options)).summary.unchanged, true);
});

test('a shard that has a replica less, because a peer was lost after it was placed, is committed and not passed over in silence', async () => {
  const { onEvent, mount } = unmountingAfterFirst();
  const ran = await three.add(dir, { shardBytes: 64 * KIB, replication: { min: 2, max: 2 } }, onEvent);
  assert.ok(
    warnings(ran).some((message) => /^\d+ of \d+ shards have fewer than 2 replicas$/.test(message)),
    warnings(ran).join('\n'),
  );
  mount();
  assert.deepEqual(await three.damage(), []);
});

test('an update goes on while a peer is being drained: what it still has counts', async () => {
  await three.add(dir, { shardBytes: 64 * KIB });
  await tick();
  three.peers.set(
    'one',
    new LocalPeer({ owner: TEST_OWNER, name: 'one', path: join(three.dir, 'peers', 'one'), layout: 'car', drained: true }),
  );
  writeFileSync(join(dir, 'new'), 'new');
  const { summary } = await three.add(dir, { shardBytes: 64 * KIB });
  assert.equal(summary.newBlocks, 3);
  assert.equal(summary.tree, await freshRoot(dir));
});
