/** Trees in which files hold the very bytes of the tree's own nodes: a leaf and a node then have one digest, and stay two blocks. */
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import fc from 'fast-check';
import { type Codec, DAG_PB, RAW } from '../../core/model.ts';
import { parseCid, sha256 } from '../../dag/cid.ts';
import { TreeCar } from '../../exchange/tree-car/tree-car.ts';
import { sampled } from '../../testing/depth.ts';
import { type FoundNode, nodesOf } from '../../testing/nodes.ts';
import { assertNoOrphans, assertWhole, pruneHome, SHARD_BYTES, snapshotsOf, withIndex } from '../../testing/retention.ts';
import { TestHome } from '../../testing/run.ts';
import { applyEdit, edit, writeTree } from '../../testing/tree.ts';
import { exportedCar, importedCar, inPieces } from '../../testing/tree-car.ts';
import { diff } from '../../update/diff.ts';
import { placedBlocks } from '../blocks/placed-blocks.ts';
import { readEntry } from './tree.ts';

let dir: string;
let home: TestHome;
let other: TestHome;
beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), 'shardctl-node-bytes-'));
  [home, other] = [await TestHome.create(), await TestHome.create()];
});
afterEach(() => {
  for (const it of [home, other]) it.remove();
  rmSync(dir, { recursive: true, force: true });
});

/** Nodes of the newest snapshot's tree. */
function headNodes(of: TestHome): Promise<FoundNode[]> {
  return withIndex(of, async (index) => {
    const blocks = placedBlocks(index, of.peers);
    return await nodesOf(snapshotsOf(index).at(-1)?.tree ?? '', blocks).finally(() => blocks.close());
  });
}

const DEEP = { d: { e: { f: Buffer.alloc(30_000, 'deep'), g: 'g' }, h: Buffer.alloc(20_000, 'h') } };

/** The tree, and beside it, before and after it in walk order, files that hold nodes of it. */
async function withNodesAsFiles(metadata: boolean): Promise<void> {
  writeTree(dir, DEEP);
  const probe = await TestHome.create();
  try {
    await probe.add(dir, { metadata });
    const inner = (await headNodes(probe)).slice(1);
    for (const side of ['0', 'z']) {
      mkdirSync(join(dir, side));
      for (const [i, { bytes }] of inner.entries()) writeFileSync(join(dir, side, String(i)), bytes);
    }
  } finally {
    probe.remove();
  }
}

for (const metadata of [true, false]) {
  const kind = metadata ? 'with metadata' : 'without metadata';

  test(`prune keeps what is below a node whose bytes are also a file, ${kind}`, async () => {
    await withNodesAsFiles(metadata);
    await home.add(dir, { metadata, shardBytes: SHARD_BYTES });
    writeFileSync(join(dir, 'more'), 'more');
    await home.add(dir, { metadata, shardBytes: SHARD_BYTES });
    await withIndex(home, (index) => index.forget('test', [1]));
    await pruneHome(home);
    await assertWhole(home);
    await assertNoOrphans(home);
  });

  test(`an exported CAR has such a block under both of its CIDs, and comes back whole, ${kind}`, async () => {
    await withNodesAsFiles(metadata);
    const { summary } = await home.add(dir, { metadata });
    const car = await exportedCar(home);
    const codecs = new Map<string, Set<Codec>>();
    for await (const { codec, digest } of (await TreeCar.open(inPieces(car, 4096), 'car')).blocks()) {
      const key = Buffer.from(digest).toString('hex');
      assert.ok(!codecs.get(key)?.has(codec), 'no block is there twice under one CID');
      codecs.set(key, (codecs.get(key) ?? new Set()).add(codec));
    }
    const inner = (await headNodes(home)).filter(({ bytes }) => codecs.get(Buffer.from(sha256(bytes)).toString('hex'))?.has(RAW));
    assert.ok(inner.length >= 2, 'the tree has files that are nodes');
    for (const { bytes } of inner) assert.ok(codecs.get(Buffer.from(sha256(bytes)).toString('hex'))?.has(DAG_PB));
    const { tree, files, directories, bytes } = await importedCar(other, car);
    assert.deepEqual([tree, files, directories, bytes], [summary.tree, summary.files, summary.directories, summary.bytes]);
    await pruneHome(other);
    await assertWhole(other);
  });
}

test('a directory and a file of one digest are two kinds of entry to diff and to update', async () => {
  const swapped = join(dir, 'swapped');
  writeTree(dir, { stays: 'x', swapped: { g: 'g' } });
  const asDirectory = await home.add(dir, { metadata: false });
  const node = (await headNodes(home)).find(({ links }) => links === 1) as FoundNode;
  rmSync(swapped, { recursive: true });
  writeFileSync(swapped, node.bytes);
  const asFile = await home.add(dir, { metadata: false, itemize: true });
  assert.notEqual(asFile.summary.tree, asDirectory.summary.tree);
  const changes = await withIndex(home, async (index) => {
    const blocks = placedBlocks(index, home.peers);
    const entry = (cid: string) => readEntry(parseCid(cid), blocks);
    const options = { blocks, signal: new AbortController().signal };
    const told: string[] = [];
    for await (const { itemize, path } of diff(await entry(asDirectory.summary.tree), await entry(asFile.summary.tree), options))
      told.push(`${itemize} ${path}`);
    await blocks.close();
    return told.sort();
  });
  assert.deepEqual(changes, ['*deleting swapped/g', '>f+++++++++ swapped']);
  const told = asFile.events.flatMap((event) => (event.type === 'change' ? [`${event.itemize} ${event.path}`] : []));
  assert.deepEqual(told.sort(), changes);
});

test('whatever files hold nodes of their tree: after updates, forget, prune, export and import everything reads back', async () => {
  const plant = fc.record({ node: fc.nat(), at: fc.constantFrom('0', '!first', 'a/0', 'zz', 'b/zz') });
  const round = fc.record({ edits: fc.array(edit, { maxLength: 4 }), plants: fc.array(plant, { minLength: 1, maxLength: 4 }) });
  const law = fc.asyncProperty(fc.array(round, { minLength: 2, maxLength: 3 }), fc.boolean(), async (rounds, metadata) => {
    const source = mkdtempSync(join(tmpdir(), 'shardctl-law-'));
    const [mine, theirs] = [await TestHome.create({ one: {}, two: {} }), await TestHome.create()];
    const options = { metadata, shardBytes: 16 * 1024 };
    try {
      writeTree(source, { ...DEEP, a: { b: { c: Buffer.alloc(9000, 'c') } }, b: { x: 'x' } });
      await mine.add(source, options);
      for (const { edits, plants } of rounds) {
        const nodes = await headNodes(mine);
        for (const { node, at } of plants) {
          const content = (nodes[node % nodes.length] as FoundNode).bytes;
          applyEdit(source, { kind: 'write', path: at, content });
        }
        for (const it of edits) applyEdit(source, it);
        await mine.add(source, options);
        await withIndex(mine, (index) => index.forget('test', [(index.repository('test')?.head ?? 0) - 1]));
        await pruneHome(mine, { shardBytes: 16 * 1024 });
        await assertWhole(mine);
      }
      const { tree } = await importedCar(theirs, await exportedCar(mine));
      assert.equal(tree, await withIndex(mine, async (index) => snapshotsOf(index).at(-1)?.tree));
      await pruneHome(theirs);
      await assertWhole(theirs);
      await assertNoOrphans(mine);
    } finally {
      for (const it of [mine, theirs]) it.remove();
      rmSync(source, { recursive: true, force: true });
    }
  });
  await fc.assert(law, { numRuns: sampled(1, 6) });
});
