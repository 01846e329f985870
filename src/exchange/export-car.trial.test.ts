import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { RAW, type SnapshotRecord } from '../core/model.ts';
import { sha256 } from '../dag/cid.ts';
import { profileOf } from '../dag/cid-profile.ts';
import { oneIn, onlyInAll } from '../testing/depth.ts';
import { KuboRepo, requireKubo } from '../testing/kubo.ts';
import { assertNoOrphans, assertWhole, pruneHome, SHARD_BYTES, withIndex } from '../testing/retention.ts';
import { TestHome } from '../testing/run.ts';
import { writeTree } from '../testing/tree.ts';
import { exportedCar, importedCar, inPieces } from '../testing/tree-car.ts';
import { TreeCar } from './tree-car/tree-car.ts';
import { treeCarHeader, treeSectionHead } from './tree-car/write.ts';

const sample = oneIn(10);

/** A file in many blocks, one content twice, a HAMT directory, a symlink. */
const TREE = {
  large: Buffer.alloc(2_500_000, 'abcdefghijk'),
  same: { one: 'the same', two: 'the same' },
  crowded: Object.fromEntries(Array.from({ length: 1500 }, (_, i) => [`${'long-name-'.repeat(18)}${i}`, ''])),
  link: { link: 'large' },
  empty: {},
};

let dir: string;
let home: TestHome;
let other: TestHome;
beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), 'shardctl-car-'));
  home = await TestHome.create();
  other = await TestHome.create({ one: {}, two: {} });
  writeTree(join(dir, 'source'), TREE);
});
afterEach(() => {
  for (const it of [home, other]) it.remove();
  rmSync(dir, { recursive: true, force: true });
});

const exported = (from = home, path = '') => exportedCar(from, path);
const imported = (car: Buffer, pieceBytes?: number) =>
  importedCar(other, car, { replicas: 2, ...(pieceBytes === undefined ? {} : { pieceBytes }) });

test('a tree comes back whole in another home, from a CAR that holds each block once, whatever pieces it comes in', {
  skip: onlyInAll(),
}, async () => {
  const { summary } = await home.add(join(dir, 'source'), { shardBytes: SHARD_BYTES * 8 });
  const car = await exported();
  const digests = new Set<string>();
  let count = 0;
  for await (const { digest } of (await TreeCar.open(inPieces(car, car.length), 'car')).blocks()) {
    digests.add(Buffer.from(digest).toString('hex'));
    count++;
  }
  assert.equal(digests.size, count);
  const { tree, files, directories, symlinks, bytes, number } = await imported(car, 4097);
  assert.deepEqual(
    [tree, files, directories, symlinks, bytes],
    [summary.tree, summary.files, summary.directories, summary.symlinks, summary.bytes],
  );
  assert.equal(number, 1);
  await assertWhole(other);
  await assertNoOrphans(other);
  const again = await imported(car);
  assert.deepEqual([again.unchanged, again.newBlocks, again.number], [true, 0, 1]);
  // A list that has lost a shard, which is there all the same.
  await withIndex(other, async (index) => {
    const snapshot = index.snapshot('test', 1) as SnapshotRecord;
    await index.replaceSnapshots([{ ...snapshot, shards: snapshot.shards.slice(1) }], []);
  });
  const whole = await imported(car);
  assert.deepEqual([whole.unchanged, whole.newBlocks, whole.number], [false, 0, 2]);
});

test('a later CAR of the same repository is its next snapshot, and stores only what is new', { skip: sample() }, async () => {
  await home.add(join(dir, 'source'));
  const first = await imported(await exported());
  writeFileSync(join(dir, 'source', 'news'), 'news');
  const { summary } = await home.add(join(dir, 'source'));
  const second = await imported(await exported());
  assert.deepEqual([second.tree, second.number], [summary.tree, 2]);
  assert.ok(second.newBlocks < 8 && first.newBlocks > 100, `${second.newBlocks} after ${first.newBlocks}`);
  // An update from the source goes on from here.
  const updated = await other.add(join(dir, 'source'), { replication: { min: 2, max: 2 } });
  assert.deepEqual([updated.summary.tree, updated.summary.newBlocks], [summary.tree, 0]);
  await assertWhole(other);
});

test('a part of a tree can be exported, and is a tree of its own', { skip: sample() }, async () => {
  await home.add(join(dir, 'source'));
  const { files, directories } = await imported(await exported(home, 'same'));
  assert.deepEqual([files, directories], [2, 1]);
  await assert.rejects(exported(home, 'nowhere'), { code: 'NOT_FOUND' });
});

test('a CAR cut off anywhere, with a wrong byte, of another kind or no CAR at all is refused, and nothing of it is left', {
  skip: sample(),
}, async () => {
  await home.add(join(dir, 'source'));
  const car = await exported(home, 'same');
  for (let length = 0; length < car.length; length += 7) {
    await assert.rejects(imported(car.subarray(0, length)), { code: 'DAMAGE' }, `cut at ${length}`);
  }
  for (let at = 0; at < car.length; at += 5) {
    const wrong = Buffer.from(car);
    wrong.writeUInt8(wrong.readUInt8(at) ^ 1, at);
    // In a home of its own: a block that reads as one of another kind is passed over, and may be here from the times before.
    const fresh = await TestHome.create();
    await assert.rejects(importedCar(fresh, wrong), { code: 'DAMAGE' }, `byte ${at}`).finally(() => fresh.remove());
  }
  const single = Buffer.from('a file');
  const root = { codec: RAW, digest: sha256(single) } as const;
  const file = Buffer.concat([treeCarHeader(root, 1), treeSectionHead(root, single.length, 1), single]);
  for (const [bytes, message] of [
    [file, /single file/],
    [Buffer.from('<html>not found</html>'), /not a CAR/],
    [Buffer.alloc(1000, 0xff), /not a CAR/],
  ] as const) {
    await assert.rejects(imported(bytes), { code: 'DAMAGE', message });
  }
  await pruneHome(other);
  await assertNoOrphans(other);
  await withIndex(other, async (index) => assert.deepEqual(index.repositories(), []));
});

test('stock Kubo imports the CAR, of either CID version, and lists the tree; a CAR of its own becomes a snapshot', {
  skip: sample(),
}, async (t) => {
  if (!requireKubo(t)) return;
  const kubo = KuboRepo.init(join(dir, 'ipfs'), 'unixfs-v1-2025');
  for (const name of ['unixfs-v1-2025', 'unixfs-v0-2015']) {
    const { summary } = await home.add(join(dir, 'source'), { profile: profileOf(name), metadata: false, repository: 'test' });
    const answer = kubo.text(['dag', 'import'], await exported());
    assert.match(answer, new RegExp(`Pinned root\\s+${summary.tree}\\s+success`));
    kubo.run(['get', summary.tree, '-o', join(dir, name)]);
    assert.deepEqual(readFileSync(join(dir, name, 'large')), TREE.large);
  }
  const root = kubo.text(['add', '-rQ', join(dir, 'source')]);
  const { tree, files } = await imported(kubo.run(['dag', 'export', root]));
  assert.deepEqual([tree, files], [root, 1503]);
  assert.deepEqual(await other.damage(), []);
});

test('what an export says of how far it is ends with the total that it has said, also where parts of a tree are there twice', async () => {
  await home.add(join(dir, 'source'), { shardBytes: SHARD_BYTES * 8 });
  for (const path of ['', 'same', 'same/one']) {
    const told: (readonly [number, number | undefined])[] = [];
    await exportedCar(home, path, (event) => void (event.type === 'progress' && told.push([event.bytes, event.totalBytes])));
    const [bytes, total] = told.at(-1) ?? [];
    assert.equal(bytes, total, path);
    assert.ok(told.every(([, of]) => of === total));
  }
});
