import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { encode } from '@ipld/dag-pb';
import { UnixFS } from 'ipfs-unixfs';
import { CID } from 'multiformats';
import type { Event } from '../../core/events.ts';
import { DAG_PB } from '../../core/model.ts';
import { parseCid, sha256 } from '../../dag/cid.ts';
import { profileOf } from '../../dag/cid-profile.ts';
import { LocalPeer } from '../../peer/local/local.ts';
import { buildSnapshot } from '../../snapshot/snapshot.ts';
import { readSnapshot } from '../../snapshot/snapshot-reader.ts';
import { oneIn } from '../../testing/depth.ts';
import { TEST_OWNER } from '../../testing/owner.ts';
import { recoverRun } from '../../testing/recover-run.ts';
import { assertNoOrphans, assertWhole, pruneRun, SHARD_BYTES, snapshotsOf, withIndex } from '../../testing/retention.ts';
import { type Ran, TestHome } from '../../testing/run.ts';
import { makeShard } from '../../testing/shards.ts';
import { writeTree } from '../../testing/tree.ts';
import { type Recovered, recover, recoverable } from './recover.ts';
import type { RecoverRun } from './recover-run.ts';

const sample = oneIn(8);

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
    const peer = await LocalPeer.create({ owner: TEST_OWNER, name, path: join(dir, name), layout: name === 'one' ? 'car' : 'blockstore' });
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

function recoverAll(options: Partial<RecoverRun> = {}): Promise<Recovered[]> {
  return withIndex(home, (index) => recover(recoverRun(home, index, options)));
}

/** The newest snapshot alone, or the one that is wanted. */
async function recoverHome(options: Partial<RecoverRun> = {}): Promise<Recovered> {
  const recovered = await recoverAll({ wanted: [ran.summary.snapshot], ...options });
  assert.equal(recovered.length, 1);
  return recovered[0] as Recovered;
}

function listed(): ReturnType<typeof recoverable> {
  return recoverable({ peers: home.peers, emit: () => {}, signal: new AbortController().signal });
}

test('a home that is gone comes back from its peers and the CID in heads/, and an add then stores nothing', {
  skip: sample(),
}, async () => {
  const snapshot = readFileSync(join(first.dir, 'heads', 'test'), 'utf8').trim();
  const [, before] = await withIndex(first, async (index) => snapshotsOf(index));
  const shards = await withIndex(first, async (index) => [...index.shards()]);
  rmSync(first.dir, { recursive: true });

  const recovered = await recoverHome({ wanted: [snapshot] });
  assert.deepEqual(recovered.missing, []);
  assert.equal(recovered.tree, ran.summary.tree);
  await withIndex(home, async (index) => {
    assert.deepEqual(snapshotsOf(index), [{ ...before, number: 1, broughtBy: 'recover' }]);
    const needed = shards.filter(({ number }) => before?.shards.includes(number));
    assert.deepEqual([...index.shards()], needed);
  });
  await assertWhole(home);
  const { summary } = await home.add(source, OPTIONS);
  assert.deepEqual([summary.tree, summary.newBlocks], [ran.summary.tree, 0]);
  // The source has been read, and is the same: what came from the peers is this home's own now.
  await withIndex(home, async (index) => assert.deepEqual(snapshotsOf(index), [{ ...before, number: 1 }]));
  assert.equal((await home.add(source, OPTIONS)).summary.unchanged, true);
  await assertWhole(home);
});

test('a snapshot that no peer has is not found, and nothing is recorded', { skip: sample() }, async () => {
  const absent = 'bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku';
  for (const wanted of [absent, 'debian'])
    await assert.rejects(recoverHome({ wanted: [wanted] }), { code: 'NOT_FOUND', hint: /--from PEER/ });
  await withIndex(home, async (index) => assert.deepEqual([index.repositories(), [...index.shards()]], [[], []]));
});

test('shards that no peer holds are named, and the rest is recovered', { skip: sample() }, async () => {
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

test('a damaged copy is passed over when another peer has a whole one', { skip: sample() }, async () => {
  const shards = join(dir, 'one', 'shards');
  for (const name of readdirSync(shards, { recursive: true }) as string[]) if (name.endsWith('.car')) truncateSync(join(shards, name), 200);
  const { missing } = await recoverHome();
  assert.deepEqual(missing, []);
});

test('a home that has other shards or a repository of that name is left alone', { skip: sample() }, async () => {
  await recoverHome();
  await assert.rejects(recoverHome(), { code: 'USAGE' });
  const other = await TestHome.create({});
  other.peers.set('one', home.peers.get('one') as LocalPeer);
  writeTree(join(dir, 'other'), { x: 'x' });
  await other.add(join(dir, 'other'));
  home.remove();
  home = other;
  home.peers.set('two', first.peers.get('two') as LocalPeer);
  await assert.rejects(recoverHome({ name: 'elsewhere' }), { code: 'USAGE', message: /another shard 0 .* two homes/ });
  await assertWhole(home);
});

test('an older snapshot is recovered as well as the newest', { skip: sample() }, async () => {
  const [old] = await withIndex(first, async (index) => snapshotsOf(index));
  const { tree } = await recoverHome({ wanted: [old?.cid as string], name: 'old' });
  assert.equal(tree, old?.tree);
  await assertWhole(home);
  await assert.rejects(assertNoOrphans(home), 'the newer snapshot is on the peers too, and this home does not know it');
});

test('a repository with a chunker of its own is recovered under its own CIDs', { skip: sample() }, async () => {
  const profile = profileOf('unixfs-v0-2015', 'size-4096');
  const { summary } = await first.add(source, { ...OPTIONS, repository: 'chunked', profile, chunker: 'size-4096' });
  const { tree, repository } = await recoverHome({ wanted: [summary.snapshot] });
  assert.deepEqual([tree, repository], [summary.tree, 'chunked']);
  const again = await home.add(source, { ...OPTIONS, repository: 'chunked', profile, chunker: 'size-4096' });
  assert.deepEqual([again.summary.tree, again.summary.newBlocks], [summary.tree, 0]);
});

test('without a noted CID the peers say what is there, newest first, and nothing is written', { skip: sample() }, async () => {
  const [old, head] = await withIndex(first, async (index) => snapshotsOf(index));
  const found = await listed();
  assert.deepEqual(
    found.map(({ repository, snapshot, tree, missing, peers }) => ({ repository, snapshot, tree, missing, peers })),
    [head, old].map((record) => ({
      repository: 'test',
      snapshot: record?.cid,
      tree: record?.tree,
      missing: 0,
      peers: ['one', 'two'],
    })),
  );
  await withIndex(home, async (index) => assert.deepEqual([index.repositories(), [...index.shards()]], [[], []]));
});

test('a repository comes back by its name with its whole history, and everything on the peers with all', { skip: sample() }, async () => {
  writeTree(join(dir, 'other'), { x: Buffer.alloc(30_000, 'x') });
  await first.add(join(dir, 'other'), { ...OPTIONS, repository: 'other' });
  const before = await withIndex(first, async (index) => snapshotsOf(index));
  assert.deepEqual(
    (await recoverAll({ wanted: ['test'] })).map(({ repository, number }) => [repository, number]),
    [['test', 2]],
  );
  await assertWhole(home);
  home.remove();
  home = await TestHome.create({});
  for (const [name, peer] of first.peers) home.peers.set(name, peer);
  const all = await recoverAll();
  assert.deepEqual(all.map(({ repository, number }) => [repository, number]).sort(), [
    ['other', 1],
    ['test', 2],
  ]);
  const broughtBy = 'recover' as const;
  await withIndex(home, async (index) =>
    assert.deepEqual(
      snapshotsOf(index),
      before.map((snapshot) => ({ ...snapshot, broughtBy })),
    ),
  );
  await assertWhole(home);
  await assertNoOrphans(home);
});

test("a tree's root stands for the newest snapshot of that tree", async () => {
  const { tree, snapshot } = await recoverHome({ wanted: [ran.summary.tree] });
  assert.deepEqual([tree, snapshot], [ran.summary.tree, ran.summary.snapshot]);
});

test('a head that is known stays the head, although another snapshot is newer', { skip: sample() }, async () => {
  const [old] = await withIndex(first, async (index) => snapshotsOf(index));
  const { snapshot } = await recoverHome({ wanted: ['test'], headOf: () => old?.cid });
  assert.equal(snapshot, old?.cid);
  await assertWhole(home);
});

test('a state of a repository that prune has written anew comes back once', { skip: sample() }, async () => {
  await withIndex(first, async (index) => {
    const [old, head] = snapshotsOf(index);
    // As prune leaves it when it dies before the old catalogue is taken away: the same state with another list of shards.
    const { rewriteSnapshot } = await import('../rewrite-snapshot.ts');
    const shards = [...new Set([...(head?.shards ?? []), ...(old?.shards ?? [])])].sort((a, b) => a - b);
    await rewriteSnapshot(pruneRun(first, index), old as NonNullable<typeof old>, shards, ['one', 'two']);
  });
  assert.equal((await listed()).length, 3);
  assert.equal((await recoverHome({ wanted: ['test'] })).number, 2);
  await assertWhole(home);
});

test('a file of the mirror that has the bytes of a snapshot is not taken for one', { skip: sample() }, async () => {
  const { file, shards } = await withIndex(first, async (index) => {
    const [head] = snapshotsOf(index).reverse();
    const reader = await (first.peers.get('one') as LocalPeer).open(head?.catalogue.cid as string);
    const read = await readSnapshot(parseCid(head?.cid as string), (digest) => reader.read(digest));
    await reader.close();
    return read;
  });
  // A tree of which no block is stored yet: what is there already would not be packed again.
  const treeBlock = encode({
    Data: new UnixFS({ type: 'directory' }).marshal(),
    Links: [{ Name: 'x', Tsize: 9, Hash: CID.parse(shards[0]?.cid as string) }],
  });
  const tree = { codec: DAG_PB, digest: sha256(treeBlock), dagSize: 100 } as const;
  const { blocks } = buildSnapshot({ ...file, time: '2099-01-01T00:00:00.000Z' }, shards, tree, Buffer.from(treeBlock));
  writeTree(join(dir, 'evil'), Object.fromEntries(blocks.map((block, at) => [`${at}`, block])));
  await first.add(join(dir, 'evil'), { ...OPTIONS, repository: 'evil', metadata: false });
  const times = (await listed()).map(({ repository, time }) => `${repository} ${time}`);
  assert.equal(times.length, 3);
  assert.ok(
    times.every((line) => !line.includes('2099')),
    times.join('\n'),
  );
});

test('a snapshot that a newer version wrote is no snapshot that is not there', { skip: sample() }, async () => {
  const { file, shards, tree, treeBlock } = await withIndex(first, async (index) => {
    const [head] = snapshotsOf(index).reverse();
    const reader = await (first.peers.get('one') as LocalPeer).open(head?.catalogue.cid as string);
    const read = await readSnapshot(parseCid(head?.cid as string), (digest) => reader.read(digest));
    await reader.close();
    return read;
  });
  const { blocks } = buildSnapshot({ ...file, format: 2 as never, repository: 'newer' }, shards, tree, treeBlock);
  const put = async (peer: LocalPeer) =>
    await peer.put(makeShard(dir, blocks), { mayConsume: false, signal: new AbortController().signal });
  await put(home.peers.get('one') as LocalPeer);
  assert.equal((await listed()).length, 2);
  await assert.rejects(recoverAll({ wanted: ['newer'] }), { code: 'NEWER_FORMAT', exitCode: 45 });
  const alone = await LocalPeer.create({ owner: TEST_OWNER, name: 'alone', path: join(dir, 'alone'), layout: 'car' });
  await put(alone);
  for (const name of ['one', 'two']) home.peers.delete(name);
  home.peers.set('alone', alone);
  await assert.rejects(listed(), { code: 'NEWER_FORMAT' });
  await assert.rejects(recoverAll(), { code: 'NEWER_FORMAT' });
});

test('a snapshot whose name no repository may have is recovered only under another', { skip: sample() }, async () => {
  await first.add(source, { ...OPTIONS, repository: 'a\u001b[2J' });
  await assert.rejects(recoverAll(), { code: 'DAMAGE', hint: /--name/ });
  await withIndex(home, async (index) => assert.deepEqual(index.repositories(), []));
  const evil = (await listed()).find(({ repository }) => repository !== 'test');
  const { repository } = await recoverHome({ wanted: [evil?.snapshot as string], name: 'plain' });
  assert.equal(repository, 'plain');
});

test('a peer that does not answer is named, and what the others have is found', { skip: sample() }, async () => {
  rmSync(join(dir, 'two'), { recursive: true });
  const warnings: string[] = [];
  const emit = (event: Event) => {
    if (event.type === 'warning') warnings.push(event.message);
  };
  const found = await recoverable({ peers: home.peers, emit, signal: new AbortController().signal });
  assert.equal(found.length, 2);
  assert.match(warnings.join('\n'), /peer two cannot be asked/);
});
