import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type BlockId, RAW } from '../../core/model.ts';
import { cidBytes } from '../../dag/cid.ts';
import { type AnyCid, splitCid } from '../../dag/foreign-cid.ts';
import { linkNamed } from '../../dag/node-links.ts';
import type { Extent } from '../../read/stored/stored-blocks.ts';
import { HostileDag } from '../../testing/hostile-dag.ts';
import { ContentBlocks, NotHere } from './content-blocks.ts';
import { KnownNode, KnownNodes } from './known-nodes.ts';

const cidOf = (id: BlockId) => splitCid(cidBytes(id, 1)) as AnyCid;
/** Somewhere in a file. */
const PLACE = {} as Extent;

test('a link is found however often it is asked for: the first one of its name, as in the block', async () => {
  const name = fc.constantFrom('a', 'b', 'ab', 'A', '\xff', '0F', 'c'.repeat(200), '');
  await fc.assert(
    fc.asyncProperty(fc.array(name, { maxLength: 8 }), fc.array(name, { minLength: 1, maxLength: 8 }), async (names, asked) => {
      const dag = new HostileDag();
      const bytes = await dag.read(dag.directory(names.map((its, at) => ({ id: dag.raw(Buffer.from([at])), name: its }))).digest);
      const node = new KnownNode(bytes);
      for (const one of [...asked, ...asked]) assert.deepEqual(node.link(one), linkNamed(bytes, one));
    }),
    { numRuns: 100 },
  );
});

test('a node that is known is not read again; nobody gets it who may not see it, nor when the home does not have it any more', async () => {
  const dag = new HostileDag();
  const id = dag.directory([{ id: dag.raw(Buffer.from('x')), name: 'a' }]);
  const nodes = new KnownNodes();
  let isThere = true;
  const home = {
    read: (digest: Uint8Array) => (isThere ? dag.read(digest) : Promise.reject(new NotHere('gone'))),
    sizeOf: async () => undefined,
    extentOf: async () => undefined,
    extentNow: () => (isThere ? PLACE : undefined),
  };
  const [friend, stranger] = [true, false].map((sees) => new ContentBlocks({ blocks: home, sees: () => sees, nodes })) as [
    ContentBlocks,
    ContentBlocks,
  ];
  const first = await friend.node(cidOf(id));
  assert.equal(await friend.node(cidOf(id)), first);
  assert.equal(dag.reads, 1);
  await assert.rejects(stranger.node(cidOf(id)), NotHere);
  isThere = false;
  await assert.rejects(friend.node(cidOf(id)), NotHere);
});

test('what is known stays within its bound, and what it has of a block does not hold the buffer around it', () => {
  const nodes = new KnownNodes(100_000);
  const digest = (at: number) => Buffer.alloc(32, at);
  const around = Buffer.alloc(100_000);
  for (let at = 0; at < 100; at++) nodes.put(digest(at), around.subarray(0, 1000));
  const kept = Array.from({ length: 100 }, (_, at) => nodes.get(digest(at))).filter((node) => node !== undefined);
  assert.ok(kept.length > 0 && kept.length < 100, `${kept.length} are kept`);
  for (const { bytes } of kept) assert.equal(bytes.buffer.byteLength, 1000);
  nodes.put(digest(200), around.subarray(0, 50_000));
  assert.equal(nodes.get(digest(200)), undefined);
  assert.ok(nodes.get(digest(99)) !== undefined);
});

test('of a node whose links are so short that they would take more than they are counted for, nothing decoded is kept', async () => {
  const [tag, rawInline] = [0x12, [1, RAW, 0, 0]];
  const link = [tag, 2 + rawInline.length, 0x0a, rawInline.length, ...rawInline];
  const dense = new KnownNode(Buffer.from([...Array(1000).fill(link).flat(), 0x0a, 2, 8, 2]));
  assert.equal(dense.file.links.length, 1000);
  assert.notEqual(dense.file, dense.file);
  const dag = new HostileDag();
  const leaves = Array.from({ length: 100 }, (_, at) => dag.raw(Buffer.from([at])));
  const usual = new KnownNode(await dag.read(dag.file(leaves, 100, Array(100).fill(1)).digest));
  assert.equal(usual.file, usual.file);
});

test('what an identity CID carries is neither asked for nor kept', async () => {
  const unused = async () => undefined;
  const blocks = new ContentBlocks({
    blocks: { read: () => Promise.reject(new Error('read')), sizeOf: unused, extentOf: unused, extentNow: () => undefined },
    sees: () => false,
  });
  const inline = splitCid(Buffer.from([1, RAW, 0, 2, 0x0a, 0x00])) as AnyCid;
  assert.deepEqual([...(await blocks.node(inline)).bytes], [0x0a, 0x00]);
});
