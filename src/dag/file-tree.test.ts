import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type BlockId, type Metadata, RAW } from '../core/model.ts';
import { sha256 } from './cid.ts';
import type { FileChild } from './file-node.ts';
import { buildFileTree } from './file-tree.ts';
import { decodeNode } from './node-reader.ts';

const METADATA: Metadata = { mode: 0o600, mtimeNs: 5n };

/** Builds a tree and keeps its nodes by digest. */
async function build(count: number, maxFileLinks: number, metadata?: Metadata) {
  const nodes = new Map<string, Buffer>();
  const leaves = Array.from(
    { length: count },
    (_, i): FileChild => ({ codec: RAW, digest: sha256(Buffer.from(`${i}`)), fileBytes: i, dagSize: i }),
  );
  const emit = (block: Buffer) => {
    const digest = sha256(block);
    for (const { digest: child } of decodeNode(block).links) {
      const known = nodes.has(key(child)) || leaves.some((leaf) => key(leaf.digest) === key(child));
      assert.ok(known, 'a parent was emitted before its child');
    }
    nodes.set(key(digest), block);
    return digest;
  };
  const root = await buildFileTree(leaves, metadata, { maxFileLinks, cidVersion: 1 }, emit);
  const nodeOf = ({ digest }: BlockId) => {
    const block = nodes.get(key(digest));
    return block === undefined ? undefined : decodeNode(block);
  };
  return { leaves, nodes, root, nodeOf };
}

const key = (digest: Uint8Array) => Buffer.from(digest).toString('hex');

test('a file of one leaf is that leaf, or with metadata a root that links it', async () => {
  const bare = await build(1, 4);
  assert.equal(bare.root, bare.leaves[0]);
  assert.equal(bare.nodes.size, 0);
  const dressed = await build(1, 4, METADATA);
  assert.equal(dressed.nodes.size, 1);
  assert.deepEqual(
    dressed.nodeOf(dressed.root)?.links.map((link) => link.codec),
    [RAW],
  );
});

test('leaves stay in order, sizes add up, all are at one depth, and metadata stand in the root alone', async () => {
  const law = fc.asyncProperty(
    fc.integer({ min: 2, max: 150 }),
    fc.integer({ min: 2, max: 6 }),
    fc.boolean(),
    async (count, most, dressed) => {
      const { leaves, nodes, root, nodeOf } = await build(count, most, dressed ? METADATA : undefined);
      const found: string[] = [];
      const depths = new Set<number>();
      const visit = (id: BlockId, depth: number): number => {
        const node = nodeOf(id);
        if (node === undefined) {
          depths.add(depth);
          return leaves[found.push(key(id.digest)) - 1]?.fileBytes ?? Number.NaN;
        }
        assert.ok(node.links.length <= most);
        assert.equal(node.mode, dressed && depth === 0 ? METADATA.mode : undefined);
        assert.equal(node.mtimeNs, dressed && depth === 0 ? METADATA.mtimeNs : undefined);
        assert.deepEqual(
          node.links.map((link) => visit(link, depth + 1)),
          node.blockSizes,
        );
        return node.fileBytes;
      };
      assert.equal(visit(root, 0), root.fileBytes);
      assert.deepEqual(
        found,
        leaves.map((leaf) => key(leaf.digest)),
      );
      assert.equal(depths.size, 1);
      const nodeBytes = [...nodes.values()].reduce((sum, block) => sum + block.length, 0);
      assert.equal(root.dagSize, nodeBytes + leaves.reduce((sum, leaf) => sum + leaf.dagSize, 0));
    },
  );
  await fc.assert(law, { numRuns: 50 });
});
