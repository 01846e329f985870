import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DAG_PB, RAW, type Root } from '../core/model.ts';
import { cidText, sha256 } from '../dag/cid.ts';
import { profileOf } from '../dag/cid-profile.ts';
import { buildDirectory } from '../dag/directory-node.ts';
import { CID_COLUMN_BYTES } from '../walk/directory.ts';
import { buildSnapshot, type ShardLink, type SnapshotFile } from './snapshot.ts';
import { readSnapshot } from './snapshot-reader.ts';

const FILE: SnapshotFile = {
  format: 1,
  repository: 'r',
  time: '2026-01-01T00:00:00.000Z',
  parent: null,
  profile: 'unixfs-v1-2025',
  metadata: true,
  counts: { files: 1, directories: 1, symlinks: 0 },
  bytes: 5,
  tool: 'shardctl test',
};

const treeBlock = Buffer.from([0x0a, 0x02, 0x08, 0x01]);
const tree: Root = { codec: DAG_PB, digest: sha256(treeBlock), dagSize: 1234 };
const shardLinks = (count: number): ShardLink[] =>
  Array.from({ length: count }, (_, number) => ({
    number,
    cid: cidText({ codec: DAG_PB, digest: sha256(Buffer.from(`shard ${number}`)) }, 1),
    dagSize: number + 7,
  }));

function loadFrom(blocks: readonly Uint8Array[]) {
  const byDigest = new Map(blocks.map((block) => [Buffer.from(sha256(block)).toString('hex'), block]));
  return async (digest: Uint8Array) => byDigest.get(Buffer.from(digest).toString('hex'));
}

test('what is read is what was built, also with more shards than one directory node lists', async () => {
  for (const count of [0, 1, 9000]) {
    const built = buildSnapshot(FILE, shardLinks(count), tree, treeBlock);
    const read = await readSnapshot(built.root, loadFrom(built.blocks));
    assert.deepEqual(read.file, FILE);
    assert.deepEqual(read.shards, shardLinks(count));
    assert.deepEqual([read.cid, read.tree.dagSize, Buffer.compare(read.treeBlock, treeBlock)], [built.cid, 1234, 0]);
  }
});

test('a snapshot.json that says anything else is refused, a newer format by its name', async () => {
  const read = (file: unknown) => {
    const built = buildSnapshot(file as SnapshotFile, [], tree, treeBlock);
    return readSnapshot(built.root, loadFrom(built.blocks));
  };
  await assert.rejects(read({ ...FILE, format: 2 }), { code: 'NEWER_FORMAT' });
  const wrong = [
    null,
    {},
    { ...FILE, repository: 7 },
    { ...FILE, time: 'x' },
    { ...FILE, profile: 'toString' },
    { ...FILE, bytes: -1.5 },
    { ...FILE, bytes: -1 },
    { ...FILE, counts: { ...FILE.counts, files: 2 ** 53 } },
    { ...FILE, time: 'Thu, 1 Jan 2026 (\u001b[2J)' },
    { ...FILE, time: '2026-13-01T00:00:00Z' },
    { ...FILE, parent: 'b\u202ea' },
    { ...FILE, tool: 'shardctl\u009b31m' },
    { ...FILE, tool: 'x'.repeat(200) },
  ];
  for (const file of wrong) await assert.rejects(read(file), { code: 'DAMAGE' }, JSON.stringify(file));
});

test('a missing block, a shard number out of bounds and what is no snapshot are damage', async () => {
  const built = buildSnapshot(FILE, shardLinks(2), tree, treeBlock);
  for (const [index] of built.blocks.entries()) {
    await assert.rejects(readSnapshot(built.root, loadFrom(built.blocks.toSpliced(index, 1))), { code: 'DAMAGE' });
  }
  const far = buildSnapshot(FILE, [{ ...(shardLinks(1)[0] as ShardLink), number: 2 ** 31 + 1 }], tree, treeBlock);
  await assert.rejects(readSnapshot(far.root, loadFrom(far.blocks)), { code: 'DAMAGE' });
  await assert.rejects(readSnapshot({ codec: RAW, digest: tree.digest }, loadFrom([treeBlock])), { code: 'DAMAGE' });
  const nodes: Buffer[] = [];
  const cids = Buffer.alloc(CID_COLUMN_BYTES);
  cids[0] = DAG_PB;
  cids.set(tree.digest, 1);
  const links = { count: 1, names: ['tree'], cids, dagSizes: Float64Array.of(1) };
  const root = buildDirectory(links, undefined, profileOf('unixfs-v1-2025'), (block) => {
    nodes.push(block);
    return sha256(block);
  });
  await assert.rejects(readSnapshot(root, loadFrom([...nodes, treeBlock])), { code: 'DAMAGE', message: /not a snapshot/ });
});
