import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { profileOf } from './dag/profile.ts';
import { LocalPeer } from './peer/local.ts';
import { type Recovered, type RecoverRun, recover } from './recover.ts';
import { assertNoOrphans, assertWhole, SHARD_BYTES, snapshotsOf, withIndex } from './testing/retention.ts';
import { type Ran, TestHome } from './testing/run.ts';
import { writeTree } from './testing/tree.ts';

const OPTIONS = { shardBytes: SHARD_BYTES, replication: { min: 1, max: 2 } };

let dir: string;
let source: string;
let first: TestHome;
let home: TestHome;
let ran: Ran;
beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), 'shardctl-recover-'));
  source = writeTree(join(dir, 'source'), {
    a: Buffer.alloc(40_000, 'a'),
    b: Buffer.alloc(40_000, 'b'),
    many: Object.fromEntries(Array.from({ length: 50 }, (_, i) => [`file ${i}`, `content ${i}`])),
  });
  first = await TestHome.create({});
  home = await TestHome.create({});
  for (const name of ['one', 'two']) {
    const peer = await LocalPeer.create({ name, path: join(dir, name), layout: name === 'one' ? 'car' : 'blockstore' });
    first.peers.set(name, peer);
    home.peers.set(name, peer);
  }
  await first.add(source, { ...OPTIONS, shardBytes: 30_000 });
  writeFileSync(join(source, 'a'), Buffer.alloc(50_000, 'A'));
  ran = await first.add(source, OPTIONS);
});
afterEach(() => {
  first.remove();
  home.remove();
  rmSync(dir, { recursive: true, force: true });
});

function recoverHome(options: Partial<RecoverRun> = {}): Promise<Recovered> {
  return withIndex(home, (index) =>
    recover({
      snapshot: ran.summary.snapshot,
      name: undefined,
      source: '',
      index,
      peers: home.peers,
      heads: join(home.dir, 'heads'),
      emit: () => {},
      signal: new AbortController().signal,
      ...options,
    }),
  );
}

test('a home that is gone comes back from its peers and the CID in heads/, and an add then stores nothing', async () => {
  const snapshot = readFileSync(join(first.dir, 'heads', 'test'), 'utf8').trim();
  const [, before] = await withIndex(first, async (index) => snapshotsOf(index));
  const shards = await withIndex(first, async (index) => [...index.shards()]);
  rmSync(first.dir, { recursive: true });

  const recovered = await recoverHome({ snapshot });
  assert.deepEqual(recovered.missing, []);
  assert.equal(recovered.tree, ran.summary.tree);
  await withIndex(home, async (index) => {
    assert.deepEqual(snapshotsOf(index), [{ ...before, number: 1 }]);
    const needed = shards.filter(({ number }) => before?.shards.includes(number));
    assert.deepEqual([...index.shards()], needed);
  });
  await assertWhole(home);
  const { summary } = await home.add(source, OPTIONS);
  assert.deepEqual([summary.tree, summary.newBlocks], [ran.summary.tree, 0]);
  assert.equal((await home.add(source, OPTIONS)).summary.unchanged, true);
  await assertWhole(home);
});

test('a snapshot that no peer has is not found, and nothing is recorded', async () => {
  const { tree } = ran.summary;
  await assert.rejects(recoverHome({ snapshot: tree }), { code: 'NOT_FOUND' });
  await withIndex(home, async (index) => assert.deepEqual([index.repositories(), [...index.shards()]], [[], []]));
});

test('shards that no peer holds are named, and the rest is recovered', async () => {
  const shards = join(dir, 'one', 'shards');
  for (const name of readdirSync(shards, { recursive: true }) as string[]) {
    if (name.endsWith('.car') && readFileSync(join(shards, name)).length > 40_000) rmSync(join(shards, name));
  }
  home.peers.delete('two');
  const { missing, shards: all } = await recoverHome();
  assert.ok(missing.length > 0 && missing.length < all);
  const { summary } = await home.add(source, OPTIONS);
  assert.equal(summary.tree, ran.summary.tree);
  assert.ok(summary.newBytes > 0);
});

test('a damaged copy is passed over when another peer has a whole one', async () => {
  const shards = join(dir, 'one', 'shards');
  for (const name of readdirSync(shards, { recursive: true }) as string[]) if (name.endsWith('.car')) truncateSync(join(shards, name), 200);
  const { missing } = await recoverHome();
  assert.deepEqual(missing, []);
});

test('a home that has other shards or a repository of that name is left alone', async () => {
  await recoverHome();
  await assert.rejects(recoverHome(), { code: 'USAGE' });
  const other = await TestHome.create({});
  other.peers.set('one', home.peers.get('one') as LocalPeer);
  writeTree(join(dir, 'other'), { x: 'x' });
  await other.add(join(dir, 'other'));
  home.remove();
  home = other;
  home.peers.set('two', first.peers.get('two') as LocalPeer);
  await assert.rejects(recoverHome({ name: 'elsewhere' }), { code: 'USAGE', message: /another shard 0/ });
  await assertWhole(home);
});

test('an older snapshot is recovered as well as the newest', async () => {
  const [old] = await withIndex(first, async (index) => snapshotsOf(index));
  const { tree } = await recoverHome({ snapshot: old?.cid as string, name: 'old' });
  assert.equal(tree, old?.tree);
  await assertWhole(home);
  await assert.rejects(assertNoOrphans(home), 'the newer snapshot is on the peers too, and this home does not know it');
});

test('a repository with a chunker of its own is recovered under its own CIDs', async () => {
  const profile = profileOf('unixfs-v0-2015', 'size-4096');
  const { summary } = await first.add(source, { ...OPTIONS, repository: 'chunked', profile, chunker: 'size-4096' });
  const { tree, repository } = await recoverHome({ snapshot: summary.snapshot });
  assert.deepEqual([tree, repository], [summary.tree, 'chunked']);
  const again = await home.add(source, { ...OPTIONS, repository: 'chunked', profile, chunker: 'size-4096' });
  assert.deepEqual([again.summary.tree, again.summary.newBlocks], [summary.tree, 0]);
});
