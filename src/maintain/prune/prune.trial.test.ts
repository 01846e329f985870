import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import fc from 'fast-check';
import { ShardctlError } from '../../core/errors.ts';
import type { Event } from '../../core/events.ts';
import type { Peer } from '../../peer/peer.ts';
import { sampled } from '../../testing/depth.ts';
import { assertNoOrphans, assertWhole, pruneHome, SHARD_BYTES, snapshotsOf, withIndex } from '../../testing/retention.ts';
import { TestHome } from '../../testing/run.ts';
import { applyEdit, edit, writeTree } from '../../testing/tree.ts';

const OPTIONS = { shardBytes: SHARD_BYTES };

let dir: string;
let home: TestHome;
beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), 'shardctl-prune-'));
  home = await TestHome.create({ one: {}, two: {} });
});
afterEach(() => {
  home.remove();
  rmSync(dir, { recursive: true, force: true });
});

/** Bytes that differ from file to file, so that no two share a block. */
const content = (bytes: number, seed: number | string) => Buffer.alloc(bytes, `${seed} `);

/** Ten files in shards of their own or shared by two, all of them in the first snapshot and only the even ones in the second. */
async function everyOtherFileDeleted(): Promise<void> {
  writeTree(dir, Object.fromEntries(Array.from({ length: 10 }, (_, i) => [`f${i}`, content(15_000, i)])));
  await home.add(dir, OPTIONS);
  for (let i = 1; i < 10; i += 2) rmSync(join(dir, `f${i}`));
  await home.add(dir, OPTIONS);
}

const forget = (repository: string, numbers: number[]) => withIndex(home, (index) => index.forget(repository, numbers));

async function heldBytes(): Promise<number> {
  let bytes = 0;
  for (const peer of home.peers.values()) bytes += (await peer.metric()).usedBytes;
  return bytes;
}

test('after any adds, forgets and prunes, every retained snapshot comes back whole and the peers hold nothing else', async () => {
  const step = fc.record({
    edits: fc.array(edit, { minLength: 1, maxLength: 6 }),
    forget: fc.array(fc.integer({ min: 1, max: 6 }), { maxLength: 3 }),
    maxUnused: fc.constantFrom({ percent: 0 }, { percent: 30 }, { percent: 100 }),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 2, maxLength: 3 }), async (steps) => {
      const source = mkdtempSync(join(tmpdir(), 'shardctl-law-'));
      const law = await TestHome.create({ one: {}, two: {} });
      try {
        writeTree(source, { big: content(60_000, 'big'), middle: content(20_000, 'middle') });
        for (const { edits, forget: numbers, maxUnused } of steps) {
          for (const it of edits) applyEdit(source, it);
          await law.add(source, { shardBytes: 16 * 1024 });
          await withIndex(law, async (index) => {
            const head = index.repository('test')?.head;
            await index.forget(
              'test',
              numbers.filter((number) => number !== head),
            );
          });
          await pruneHome(law, { maxUnused, shardBytes: 16 * 1024 });
          await assertWhole(law);
          await assertNoOrphans(law);
        }
      } finally {
        law.remove();
        rmSync(source, { recursive: true, force: true });
      }
    }),
    { numRuns: sampled(1, 5) },
  );
});

test('what only a forgotten snapshot needed is freed, thin shards are repacked, and the snapshot keeps number, tree and time', async () => {
  await everyOtherFileDeleted();
  const before = await heldBytes();
  const [, second] = await withIndex(home, async (index) => snapshotsOf(index));
  assert.ok(second);
  assert.equal((await pruneHome(home)).removedShards, 0, 'both snapshots are retained');
  await forget('test', [1]);
  const pruned = await pruneHome(home);
  assert.ok(pruned.repackedShards > 0);
  assert.equal(pruned.rewrittenSnapshots, 1);
  assert.equal(pruned.unusedBytes, 0);
  const after = await heldBytes();
  assert.ok(before - after > 5 * 15_000, `${before - after} bytes were freed`);
  const [only] = await withIndex(home, async (index) => snapshotsOf(index));
  assert.deepEqual(
    [only?.number, only?.tree, only?.time, only?.counts, only?.parent],
    [second.number, second.tree, second.time, second.counts, second.parent],
  );
  assert.notEqual(only?.cid, second.cid);
  assert.equal(readFileSync(join(home.dir, 'heads', 'test'), 'utf8'), `${only?.cid}\n`);
  await assertWhole(home);
  await assertNoOrphans(home);
});

test('a prune of what was just pruned does nothing, and a next add stores nothing', async () => {
  await everyOtherFileDeleted();
  await forget('test', [1]);
  await pruneHome(home);
  const again = await pruneHome(home);
  assert.deepEqual([again.removedShards, again.removedStrays, again.repackedShards, again.rewrittenSnapshots], [0, 0, 0, 0]);
  const { summary } = await home.add(dir, OPTIONS);
  assert.deepEqual([summary.unchanged, summary.newBlocks], [true, 0]);
});

test('a dry run says what the run then does, and changes nothing', async () => {
  await everyOtherFileDeleted();
  await forget('test', [1]);
  const before = await heldBytes();
  const planned = await pruneHome(home, { dryRun: true });
  assert.equal(await heldBytes(), before);
  const done = await pruneHome(home);
  assert.ok(done.newShards > 0);
  assert.deepEqual({ ...done, dryRun: true }, planned);
});

test('two repositories share shards: when one is forgotten the other still comes back', async () => {
  await everyOtherFileDeleted();
  await home.add(dir, { ...OPTIONS, repository: 'other' });
  writeFileSync(join(dir, 'f0'), 'all but gone');
  for (const i of [2, 4, 6]) rmSync(join(dir, `f${i}`));
  await home.add(dir, OPTIONS);
  await forget('test', [1, 2]);
  await pruneHome(home);
  await assertWhole(home);
  await assertNoOrphans(home);
  await withIndex(home, async (index) => assert.equal(index.snapshots('other').length, 1));
});

test('unused bytes within --max-unused stay, and no more blocks are copied than --max-repack says', async () => {
  await everyOtherFileDeleted();
  await forget('test', [1]);
  const all = await pruneHome(home, { dryRun: true });
  assert.ok(all.repackedShards >= 2);
  const none = await pruneHome(home, { dryRun: true, maxUnused: { percent: 100 } });
  assert.deepEqual([none.repackedShards, none.unusedBytes > 0], [0, true]);
  const some = await pruneHome(home, { dryRun: true, maxRepack: all.repackedBytes - 1 });
  assert.ok(some.repackedShards > 0 && some.repackedShards < all.repackedShards);
  assert.ok(some.repackedBytes < all.repackedBytes);
});

test('the number of a dropped shard is not given out again, and its blocks are stored anew', async () => {
  writeTree(dir, { stays: 'x', goes: content(40_000, 'goes') });
  await home.add(dir, OPTIONS);
  const next = await withIndex(home, async (index) => index.nextShardNumber());
  rmSync(join(dir, 'goes'));
  await home.add(dir, OPTIONS);
  await forget('test', [1]);
  await pruneHome(home);
  await withIndex(home, async (index) => assert.ok(index.nextShardNumber() >= next));
  writeTree(dir, { goes: content(40_000, 'goes') });
  const { summary } = await home.add(dir, OPTIONS);
  assert.ok(summary.newBytes >= 40_000);
  await assertWhole(home);
});

test('what another home keeps on the same peer is not touched', async () => {
  const other = await TestHome.create({});
  const [one] = home.peers.values();
  assert.ok(one);
  other.peers.set('one', one);
  writeTree(dir, { theirs: content(20_000, 'theirs') });
  await other.add(dir, OPTIONS);
  rmSync(join(dir, 'theirs'));
  await everyOtherFileDeleted();
  await forget('test', [1]);
  await pruneHome(home);
  await assertWhole(other);
  other.remove();
});

test('a peer that is away keeps what is dead until a prune that finds it', async () => {
  await everyOtherFileDeleted();
  const wide = { replication: { min: 1, max: 2 } };
  writeFileSync(join(dir, 'f0'), content(30_000, 'new'));
  await home.add(dir, { ...OPTIONS, ...wide });
  await forget('test', [1, 2]);
  const two = home.peers.get('two');
  assert.ok(two);
  const remove = two.remove.bind(two);
  two.remove = async () => {
    throw new ShardctlError('TOO_FEW_PEERS', 'away');
  };
  const pruned = await pruneHome(home);
  assert.ok(pruned.left > 0);
  await assertWhole(home);
  two.remove = remove;
  assert.equal((await pruneHome(home)).left, 0);
  await assertNoOrphans(home);
});

test('a tree that cannot be read whole stops the prune before anything is removed', async () => {
  await everyOtherFileDeleted();
  await forget('test', [1]);
  const before = await heldBytes();
  for (const peer of home.peers.values()) {
    peer.open = async (cid) => {
      throw new ShardctlError('DAMAGE', `${cid} is damaged`);
    };
  }
  await assert.rejects(pruneHome(home), { code: 'DAMAGE' });
  assert.equal(await heldBytes(), before);
});

test('that a peer does not answer is told once, however much it keeps, and it is not asked for each shard', async () => {
  await everyOtherFileDeleted();
  await forget('test', [1]);
  const two = home.peers.get('two') as Peer;
  let asked = 0;
  const silent = async (): Promise<never> => {
    asked++;
    throw new ShardctlError('TOO_FEW_PEERS', 'peer "two" cannot be reached');
  };
  // Reads as ever: it falls silent when something is to be removed.
  const deaf = new Proxy(two, {
    get(peer, name) {
      if (name === 'keepRoots' || name === 'remove') return silent;
      const value = Reflect.get(peer, name) as unknown;
      return typeof value === 'function' ? value.bind(peer) : value;
    },
  });
  home.peers.set('two', deaf);
  const warnings: string[] = [];
  const emit = (event: Event) => void (event.type === 'warning' && warnings.push(event.message));
  const pruned = await pruneHome(home, { emit });
  assert.ok(pruned.left > 1);
  assert.deepEqual([warnings, asked], [['peer two keeps what is not needed until the next prune: peer "two" cannot be reached'], 1]);
  home.peers.set('two', two);
  await pruneHome(home);
  await assertNoOrphans(home);
});
