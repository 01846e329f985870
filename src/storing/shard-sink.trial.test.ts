import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import fc from 'fast-check';
import { DIGEST_BYTES } from '../core/model.ts';
import type { Index } from '../index/index.ts';
import { contentsOn } from '../read/blocks/shard-contents.ts';
import { BatchBuilder, ownBlocks } from '../shard/batch.ts';
import { withIndex } from '../testing/retention.ts';
import { TestHome } from '../testing/run.ts';
import { Ledger } from './allocate/ledger.ts';
import { ShardSink } from './shard-sink.ts';
import { UsableShards } from './usable-shards.ts';

const SHARD_BYTES = 2000;
const BLOCK_BYTES = 200;

/** Blocks by their numbers, in batches, and for each shard how many turns its peer takes to store it. */
const input = fc.record({
  // Few numbers meet at every distance: in the open shard, in those under way, and in those that were placed long before.
  batches: fc.array(fc.array(fc.integer({ min: 0, max: 150 }), { minLength: 1, maxLength: 60 }), { minLength: 1, maxLength: 12 }),
  turns: fc.array(fc.constantFrom(0, 0, 1, 5, 40), { minLength: 1, maxLength: 20 }),
  shardBytes: fc.constantFrom(4 * BLOCK_BYTES, SHARD_BYTES),
});

function blockOf(number: number): Buffer {
  return Buffer.alloc(BLOCK_BYTES, `block ${number} `);
}

async function store(home: TestHome, index: Index, batches: readonly (readonly number[])[], shardBytes = SHARD_BYTES): Promise<void> {
  const spool = join(home.dir, 'spool');
  mkdirSync(spool, { recursive: true });
  const options = { peers: home.peers, replication: { min: 1, max: 1 }, allocateBy: ['freespace'], emit: () => {}, now: Date.now };
  const ledger = await Ledger.open(options);
  const usableShards = await UsableShards.load(index, home.peers, ledger.silent());
  const signal = new AbortController().signal;
  const sink = new ShardSink({
    ...options,
    repository: 'test',
    index,
    spool,
    ledger,
    shardBytes,
    usableShards,
    signal,
  });
  for (const numbers of batches) {
    const batch = new BatchBuilder();
    for (const number of numbers) batch.add(blockOf(number));
    await sink.add(ownBlocks(batch.take()));
  }
  await sink.finish();
}

/** Digests of all blocks in all shards, each as often as it is stored; the shards are read from the peer. */
async function stored(home: TestHome, index: Index): Promise<string[]> {
  const digests: string[] = [];
  for (const shard of index.shards()) {
    const contents = await contentsOn(shard, home.peers);
    for (let at = 0; at < contents.digests.length; at += DIGEST_BYTES)
      digests.push(contents.digests.toString('hex', at, at + DIGEST_BYTES));
  }
  return digests;
}

/** Has the peer take so many turns of the event loop for each shard, one after the other. */
function delay(home: TestHome, turns: readonly number[]): void {
  const peer = home.peers.get('local');
  assert.ok(peer);
  const put = peer.put.bind(peer);
  let next = 0;
  peer.put = async (shard, options) => {
    for (let left = turns[next++ % turns.length] ?? 0; left > 0; left--) await setImmediate();
    await put(shard, options);
  };
}

test('within one run nothing is stored twice, however far apart it comes again', async () => {
  await fc.assert(
    fc.asyncProperty(input, async ({ batches, turns, shardBytes }) => {
      const home = await TestHome.create();
      try {
        delay(home, turns);
        await withIndex(home, async (index) => {
          await store(home, index, batches, shardBytes);
          const unique = new Set(batches.flat()).size;
          const digests = await stored(home, index);
          assert.equal(digests.length, unique);
          assert.equal(new Set(digests).size, unique);
          const shards = [...index.shards()];
          assert.equal(
            shards.reduce((sum, { bytes }) => sum + bytes, 0),
            unique * BLOCK_BYTES,
          );
          // And the peer holds these shards, and nothing else.
          const dir = join(home.dir, 'peers', 'local', 'shards');
          const files = readdirSync(dir, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
          assert.equal(
            files.reduce((sum, { parentPath, name }) => sum + statSync(join(parentPath, name)).size, 0),
            shards.reduce((sum, { carBytes }) => sum + carBytes, 0),
          );
        });
      } finally {
        home.remove();
      }
    }),
    { numRuns: 20 },
  );
});

test('what an earlier run placed is found again as long as a peer has it, and stored anew when none has', async () => {
  const home = await TestHome.create();
  try {
    await withIndex(home, async (index) => {
      const numbers = Array.from({ length: 30 }, (_, i) => i);
      await store(home, index, [numbers]);
      await store(home, index, [numbers]);
      assert.equal((await stored(home, index)).length, 30);
      const [first] = [...index.shards()];
      assert.ok(first);
      await home.peers.get('local')?.remove(first.cid);
      await store(home, index, [numbers, numbers]);
      const again = [...index.shards()].at(-1);
      assert.ok(again);
      assert.equal((await contentsOn(again, home.peers)).digests.length, first.blocks * DIGEST_BYTES);
    });
  } finally {
    home.remove();
  }
});
