import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { encode, prepare } from '@ipld/dag-pb';
import fc from 'fast-check';
import { UnixFS } from 'ipfs-unixfs';
import { CID } from 'multiformats/cid';
import { create as createDigest } from 'multiformats/hashes/digest';
import { type BlockId, type Codec, DAG_PB, RAW } from '../core/model.ts';
import { cidText, parseCid, sha256 } from '../dag/cid.ts';
import { encodeFileNode, type FileChild } from '../dag/file-node.ts';
import { KuboRepo, requireKubo } from '../testing/kubo.ts';
import { ManifestBuilder, readManifest } from './manifest.ts';

interface Leaf {
  readonly digest: Uint8Array;
  readonly length: number;
}

/** Leaves need no data: a manifest knows only their digests and lengths. */
function leavesOf(lengths: readonly number[]): Leaf[] {
  return lengths.map((length, index) => ({ length, digest: sha256(Buffer.from(length === 0 ? '' : `leaf ${index}`)) }));
}

function build(leaves: readonly Leaf[]): { root: BlockId; nodes: Map<string, Buffer>; emitted: Buffer[] } {
  const builder = new ManifestBuilder();
  for (const { digest, length } of leaves) builder.add(Buffer.concat([Buffer.from('xx'), digest]), 2, length);
  const nodes = new Map<string, Buffer>();
  const emitted: Buffer[] = [];
  const root = builder.finish((block, digest) => {
    assert.deepEqual(Buffer.from(digest), Buffer.from(sha256(block)));
    nodes.set(keyOf(digest), block);
    emitted.push(block);
  });
  return { root, nodes, emitted };
}

const keyOf = (digest: Uint8Array) => Buffer.from(digest).toString('hex');
const loadFrom = (nodes: ReadonlyMap<string, Uint8Array>) => (digest: Uint8Array) => nodes.get(keyOf(digest));

/** The same tree as @ipld/dag-pb and ipfs-unixfs make it: groups of so many links, level by level. */
function reference(leaves: readonly Leaf[], width = 256): { readonly cid: string; readonly nodes: Map<string, Uint8Array> } {
  const nodes = new Map<string, Uint8Array>();
  const cidOf = (codec: number, digest: Uint8Array): CID => CID.createV1(codec, createDigest(0x12, digest));
  let level = leaves.map(({ digest, length }) => ({ cid: cidOf(RAW, digest), bytes: length, size: length }));
  do {
    const above: typeof level = [];
    for (let at = 0; at < level.length; at += width) {
      const group = level.slice(at, at + width);
      const file = new UnixFS({ type: 'file', blockSizes: group.map(({ bytes }) => BigInt(bytes)) });
      const links = group.map(({ cid, size }) => ({ Name: '', Hash: cid, Tsize: size }));
      const block = encode(prepare({ Data: file.marshal(), Links: links }));
      nodes.set(keyOf(sha256(block)), block);
      above.push({
        cid: cidOf(DAG_PB, sha256(block)),
        bytes: group.reduce((sum, { bytes }) => sum + bytes, 0),
        size: group.reduce((sum, { size }) => sum + size, block.length),
      });
    }
    level = above;
  } while (level.length > 1);
  return { cid: String(level[0]?.cid), nodes };
}

test('the manifest is the balanced file that the field’s own libraries build', () => {
  const lengths = fc.oneof(
    fc.array(fc.nat(2 * 1024 * 1024), { minLength: 1, maxLength: 40 }),
    fc.constantFrom(255, 256, 257, 512, 513, 5000).map((count) => Array.from({ length: count }, (_, index) => index * 37)),
  );
  fc.assert(
    fc.property(lengths, (sizes) => {
      const leaves = leavesOf(sizes);
      assert.equal(cidText(build(leaves).root, 1), reference(leaves).cid);
    }),
    { numRuns: 40 },
  );
});

test('what is read back is what was added, in order; nodes come before their parents and the root last', async () => {
  await fc.assert(
    fc.asyncProperty(fc.constantFrom(1, 2, 256, 257, 3000), async (count) => {
      const leaves = leavesOf(Array.from({ length: count }, (_, index) => index % 5000));
      const { root, nodes, emitted } = build(leaves);
      assert.deepEqual(Buffer.from(root.digest), Buffer.from(sha256(emitted.at(-1) ?? Buffer.alloc(0))));
      const manifest = await readManifest(root, loadFrom(nodes));
      assert.deepEqual(
        [...manifest.lengths],
        leaves.map(({ length }) => length),
      );
      assert.deepEqual(manifest.blocks.digests(), Buffer.concat(leaves.map(({ digest }) => digest)));
      assert.equal(manifest.blocks.get((leaves.at(-1) as Leaf).digest), count - 1);
      assert.equal(manifest.nodes.size, nodes.size);
      assert.equal(
        manifest.bytes,
        leaves.reduce((sum, { length }) => sum + length, 0),
      );
    }),
    { numRuns: 5 },
  );
});

test('a manifest is read whose nodes have 1024 links, as those of older shards have', async () => {
  const leaves = leavesOf(Array.from({ length: 2500 }, (_, index) => index));
  const { cid, nodes } = reference(leaves, 1024);
  assert.equal(nodes.size, 4);
  const manifest = await readManifest(parseCid(cid), loadFrom(nodes));
  assert.deepEqual(manifest.blocks.digests(), Buffer.concat(leaves.map(({ digest }) => digest)));
});

test('three levels: more than 256 × 256 blocks', async () => {
  const builder = new ManifestBuilder();
  const digest = Buffer.alloc(32);
  const nodes = new Map<string, Buffer>();
  const count = 256 * 256 + 1;
  for (let index = 0; index < count; index++) {
    digest.writeUInt32BE(index, 0);
    builder.add(digest, 0, 1);
  }
  const root = builder.finish((block, nodeDigest) => void nodes.set(keyOf(nodeDigest), block));
  assert.equal(nodes.size, 256 + 1 + 1 + 1 + 1);
  const manifest = await readManifest(root, loadFrom(nodes));
  assert.equal(manifest.bytes, count);
  assert.equal(manifest.blocks.get(digest), count - 1);
});

test('a shard is the file that Kubo adds with these chunks', (t) => {
  if (!requireKubo(t)) return;
  const dir = mkdtempSync(join(tmpdir(), 'shardctl-manifest-'));
  try {
    const kubo = KuboRepo.init(dir, 'unixfs-v1-2025');
    for (const count of [2, 256, 257, 600]) {
      const builder = new ManifestBuilder();
      const data = Buffer.alloc(count * 16);
      for (let at = 0; at < data.length; at += 16) {
        data.writeUInt32LE(at, at);
        builder.add(sha256(data.subarray(at, at + 16)), 0, 16);
      }
      const cid = cidText(
        builder.finish(() => {}),
        1,
      );
      assert.equal(cid, kubo.text(['add', '-Q', '--only-hash', '--chunker=size-16', '--max-file-links=256'], data), `${count} blocks`);
    }
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
});

test('a manifest that cannot be that of a shard is damage', async () => {
  const leaf = (text: string, fileBytes: number, codec: Codec = RAW, dagSize = fileBytes) => ({
    codec,
    digest: sha256(Buffer.from(text)),
    fileBytes,
    dagSize,
  });
  const nodes = new Map<string, Buffer>();
  const put = (block: Buffer) => {
    const digest = sha256(block);
    nodes.set(keyOf(digest), block);
    return { codec: DAG_PB, digest, block } as const;
  };
  const good = encodeFileNode([leaf('a', 5), leaf('b', 6)], undefined, 1);
  const child = put(good);
  const link: FileChild = { codec: DAG_PB, digest: child.digest, fileBytes: 11, dagSize: 11 + good.length };
  let chain = link;
  for (let depth = 0; depth < 5; depth++) {
    const above = put(encodeFileNode([chain], undefined, 1));
    chain = { codec: DAG_PB, digest: above.digest, fileBytes: 11, dagSize: chain.dagSize + above.block.length };
  }
  const wrongTotal = Buffer.from(good);
  wrongTotal[wrongTotal.lastIndexOf(Buffer.from([0x18, 11])) + 1] = 12;

  const cases: [RegExp, Buffer][] = [
    [/is missing/, encodeFileNode([leaf('nowhere', 5, DAG_PB)], undefined, 1)],
    [/lists block .* twice/, encodeFileNode([leaf('a', 5), leaf('a', 5)], undefined, 1)],
    [/is linked twice/, encodeFileNode([link, link], undefined, 1)],
    [/claims 5 bytes for a block/, encodeFileNode([leaf('a', 5, RAW, 6)], undefined, 1)],
    [/claims 3145728 bytes for a block/, encodeFileNode([leaf('a', 3 * 1024 * 1024)], undefined, 1)],
    [/claims no bytes for a block that has some/, encodeFileNode([leaf('a', 5), leaf('b', 0)], undefined, 1)],
    [/wrong size for a node below/, encodeFileNode([{ ...link, fileBytes: 12 }], undefined, 1)],
    [/is not balanced/, encodeFileNode([link, leaf('c', 7)], undefined, 1)],
    [/not an inner node/, encodeFileNode([], undefined, 1)],
    [/too deep/, nodes.get(keyOf(chain.digest)) ?? good],
    [/not the sum/, wrongTotal],
    [/not an inner node/, Buffer.from('0a020801', 'hex')],
    [/./, Buffer.from('garbage')],
  ];
  for (const [message, block] of cases) {
    await assert.rejects(readManifest(put(block), loadFrom(nodes)), { code: 'DAMAGE', message });
  }
  assert.equal((await readManifest(child, loadFrom(nodes))).bytes, 11);
});
