/** Trees of strangers: few blocks that stand for more than anybody can hold, and nodes that lie. */
import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, test } from 'node:test';
import type { BlockId } from '../../core/model.ts';
import { parseCid } from '../../dag/cid.ts';
import { type GetSummary, get } from '../../restore/get.ts';
import { HostileDag } from '../../testing/hostile-dag.ts';
import { withIndex } from '../../testing/retention.ts';
import { TestHome } from '../../testing/run.ts';
import { importedCar } from '../../testing/tree-car.ts';
import { diff } from '../../update/diff.ts';
import { placedBlocks } from '../blocks/placed-blocks.ts';
import { cat } from '../cat.ts';
import { type Measured, measureReadable, measureReceived } from './measure.ts';
import { BoundlessTree } from './repetition.ts';
import { readEntry } from './tree.ts';

const signal = new AbortController().signal;
let dag: HostileDag;
let dir: string;
beforeEach(() => {
  dag = new HostileDag();
  dir = mkdtempSync(join(tmpdir(), 'shardctl-bomb-'));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

function getIt(root: BlockId): Promise<GetSummary> {
  return get({ root, path: '', out: join(dir, 'out'), blocks: dag, emit: () => {}, signal });
}

async function measured(root: BlockId, isReceived = false): Promise<Measured> {
  const leafBytes = async (digest: Uint8Array) => (await dag.read(digest)).length;
  const bytes = dag.car(root).length;
  const [entry, options] = [await readEntry(root, dag), { blocks: dag, signal }];
  return isReceived ? await measureReceived(entry, options, { bytes, leafBytes }) : await measureReadable(entry, options);
}

/** `2 ** levels` ways lead to its bottom. @param bottom what makes one tree another */
function doubling(levels: number, bottom = 'file'): BlockId {
  let below = dag.directory([{ id: dag.raw(Buffer.from(bottom)), name: 'file' }]);
  for (let level = 0; level < levels; level++)
    below = dag.directory([
      { id: below, name: 'a' },
      { id: below, name: 'b' },
    ]);
  return below;
}

describe('2^50 directories in 51 blocks', () => {
  const REFUSED = { code: 'DAMAGE', message: /^the tree has 3,377,699,720,527,871 entries, made of 102$/ };

  test('are counted in as many reads as there are blocks', async () => {
    await assert.rejects(measured(doubling(49)), { code: 'DAMAGE', message: /^the tree has 1,688,849,860,263,935 entries/ });
    assert.ok(dag.reads <= dag.size, `${dag.reads} reads`);
  });

  test('are not restored: only what leads down to the first that comes twice', async () => {
    await assert.rejects(getIt(doubling(50)), REFUSED);
    assert.equal(readdirSync(join(dir, 'out'), { recursive: true }).length, 51);
  });

  test('are not told one by one, as they came, went, or differ', async () => {
    const walk = async (a: BlockId, b: BlockId) => {
      for await (const _ of diff(await readEntry(a, dag), await readEntry(b, dag), { blocks: dag, signal }));
    };
    const small = dag.directory([]);
    await assert.rejects(walk(small, doubling(50)), REFUSED);
    await assert.rejects(walk(doubling(50), small), REFUSED);
    await assert.rejects(walk(doubling(50), doubling(50, 'other')), REFUSED);
  });
});

test('copies of a directory are restored, and told of by diff, as often as they are there', async () => {
  const root = doubling(5);
  const { directories, files } = await getIt(root);
  assert.deepEqual([directories, files], [63, 32]);
  const changes: string[] = [];
  const empty = await readEntry(dag.directory([]), dag);
  for await (const { path } of diff(empty, await readEntry(root, dag), { blocks: dag, signal })) changes.push(path);
  assert.equal(changes.length, 62 + 32);
});

test('a directory that comes twice costs no reading of the files in it: only what says what is there is read once more', async () => {
  const files = Array.from({ length: 50 }, (_, i) => ({ id: dag.raw(Buffer.from(`${i}`)), name: String(i).padStart(2, '0') }));
  const below = dag.directory(files);
  const root = dag.directory(['a', 'b', 'c'].map((name) => ({ id: below, name })));
  const empty = await readEntry(dag.directory([]), dag);
  const newer = await readEntry(root, dag);
  dag.reads = 0;
  await measureReadable(newer, { blocks: dag, signal });
  assert.equal(dag.reads, 1);
  dag.reads = 0;
  for await (const _ of diff(empty, newer, { blocks: dag, signal }));
  assert.equal(dag.reads, 2 + 3 + 3 * 50 + 1);
});

test('directories in one another have a limit that is above every path, and no more are looked at', async () => {
  const nested = (levels: number) => {
    let below = dag.directory([]);
    for (let level = 1; level < levels; level++) below = dag.directory([{ id: below, name: 'd' }]);
    return below;
  };
  assert.equal((await measured(nested(2000))).counts.directories, 2000);
  const endless = nested(20_000);
  dag.reads = 0;
  await assert.rejects(measured(endless), { code: 'DAMAGE', message: /more than 2,000 directories in one another/ });
  assert.ok(dag.reads < 2100);
  const [deep, empty] = [await readEntry(endless, dag), await readEntry(dag.directory([]), dag)];
  await assert.rejects(async () => {
    for await (const _ of diff(empty, deep, { blocks: dag, signal }));
  }, BoundlessTree);
});

/** Each level has ten links to the one below. @param size of the leaf that all of them come to */
function repeated(levels: number, size: number): BlockId {
  let below = { id: dag.raw(Buffer.alloc(size)), size };
  for (let level = 0; level < levels; level++) {
    const links = Array.from({ length: 10 }, () => below);
    const id = dag.file(
      links.map(({ id }) => id),
      below.size * 10,
      links.map(({ size }) => size),
    );
    below = { id, size: below.size * 10 };
  }
  return dag.directory([{ id: below.id, name: 'f' }]);
}

async function contentOf(root: BlockId): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  for await (const part of cat({ root, path: 'f', blocks: dag, signal })) parts.push(part);
  return Buffer.concat(parts);
}

test('a file of a few blocks may be large, and not larger than any disk', async () => {
  assert.deepEqual(await measured(repeated(6, 1e6), true), { counts: { files: 1, directories: 1, symlinks: 0 }, bytes: 1e12 });
  await assert.rejects(measured(repeated(8, 1e6), true), { code: 'DAMAGE', message: /90\.9 TiB in its files, made of/ });
  await assert.rejects(measured(repeated(40, 1000), true), { code: 'DAMAGE' });
  assert.ok(dag.reads <= dag.size + 10);
});

test('a file of a few blocks may have many parts, and not more than can be read one by one', async () => {
  assert.equal((await measured(repeated(7, 1), true)).bytes, 1e7);
  await assert.rejects(measured(repeated(8, 1), true), { code: 'DAMAGE', message: /100,000,000 parts of files, made of/ });
  const twice = (id: BlockId) =>
    dag.directory([
      { id, name: 'a' },
      { id, name: 'b' },
    ]);
  await assert.rejects(measured(twice(repeated(7, 1)), true), { code: 'DAMAGE', message: /20,000,000 parts of files/ });
});

test('a block that follows itself in a file is read once', async () => {
  const root = repeated(4, 3);
  dag.reads = 0;
  assert.deepEqual(await contentOf(root), Buffer.alloc(30_000));
  assert.ok(dag.reads < 10, `${dag.reads} reads`);
  const [a, b] = [dag.raw(Buffer.from('a')), dag.raw(Buffer.from('b'))];
  const pair = (one: BlockId, other: BlockId) => dag.file([one, one, other, one], 4, [1, 1, 1, 1]);
  const mixed = dag.file([pair(a, b), pair(a, b), pair(b, a)], 12, [4, 4, 4]);
  assert.equal(String(await contentOf(dag.directory([{ id: mixed, name: 'f' }]))), 'aabaaababbab');
});

test('a file of empty parts, in whatever number, is read at once', async () => {
  for (const root of [repeated(15, 0), dag.directory([{ id: emptyWithoutSizes(15), name: 'f' }])]) {
    dag.reads = 0;
    assert.deepEqual(await contentOf(root), Buffer.alloc(0));
    assert.ok(dag.reads < 20);
    assert.equal((await measured(root, true)).bytes, 0);
  }
});

function emptyWithoutSizes(levels: number): BlockId {
  let below = dag.raw(Buffer.alloc(0));
  for (let level = 0; level < levels; level++)
    below = dag.file(
      Array.from({ length: 10 }, () => below),
      0,
    );
  return below;
}

describe('a file that lies', () => {
  const leaf = () => dag.raw(Buffer.from('four'));
  const inner = () => dag.file([leaf(), leaf()], 8, [4, 4]);
  const lies: Record<string, () => BlockId> = {
    'of the size of a leaf': () => dag.file([leaf()], 5, [5]),
    'of the size of a node below': () => dag.file([inner()], 9, [9]),
    'of its own size': () => dag.file([leaf()], 2 ** 50, [4]),
    'of its own size, and says nothing of its parts': () => dag.file([leaf(), inner()], 2 ** 50),
    'of being shorter than it is': () => dag.file([leaf(), inner()], 4, [4, 8]),
    'of being shorter than it is, and says nothing of its parts': () => dag.file([inner(), inner()], 1),
    'by having a size too many': () => dag.file([leaf()], 8, [4, 4]),
    'by having a directory in it': () => dag.file([dag.directory([])], 0, [0]),
  };
  for (const [how, build] of Object.entries(lies)) {
    test(`${how}, is refused at the door; if it is met all the same, no more of it is given out than it says`, async () => {
      const root = dag.directory([{ id: build(), name: 'f' }]);
      await assert.rejects(measured(root, true), { code: 'DAMAGE' });
      let got = 0;
      const [{ fileBytes }] = [(await readEntry(build(), dag)).content as { fileBytes: number }];
      try {
        for await (const part of cat({ root, path: 'f', blocks: dag, signal })) got += part.length;
      } catch (error) {
        assert.equal((error as { code?: string }).code, 'DAMAGE');
      }
      assert.ok(got <= fileBytes && dag.reads < 50);
    });
  }
});

test('files without the sizes of their parts, and of more levels than most, come back', async () => {
  const leaf = dag.raw(Buffer.from('four'));
  let tall = dag.file([leaf], 4, [4]);
  for (let level = 1; level < 20; level++) tall = dag.file([tall], 4, [4]);
  const bare = dag.file([leaf, tall, dag.file([leaf], 4)], 12);
  const root = dag.directory([{ id: bare, name: 'f' }]);
  assert.equal(String(await contentOf(root)), 'fourfourfour');
  assert.equal((await measured(root, true)).bytes, 12);
  for (let level = 20; level < 70; level++) tall = dag.file([tall], 4, [4]);
  const taller = dag.directory([{ id: tall, name: 'f' }]);
  await assert.rejects(contentOf(taller), { code: 'DAMAGE', message: /nested too deep/ });
  await assert.rejects(measured(taller, true), { code: 'DAMAGE', message: /nested too deep/ });
});

test('import-car refuses what cannot be read back, and what it takes is restored', async () => {
  const home = await TestHome.create();
  try {
    for (const root of [doubling(50), repeated(12, 1000), dag.directory([{ id: dag.file([], 7), name: 'lie' }])])
      await assert.rejects(importedCar(home, dag.car(root)), { code: 'DAMAGE' });
    const { tree, directories, files } = await importedCar(home, dag.car(doubling(3)));
    assert.deepEqual([directories, files], [15, 8]);
    await withIndex(home, async (index) => {
      const blocks = placedBlocks(index, home.peers);
      await get({ root: parseCid(tree), path: '', out: join(dir, 'out'), blocks, emit: () => {}, signal }).finally(() => blocks.close());
    });
    assert.equal(readFileSync(join(dir, 'out/a/b/a/file'), 'utf8'), 'file');
  } finally {
    home.remove();
  }
});

test('a directory with lost parts is measured by the others when a copy of it comes', async () => {
  const lost = new HostileDag().directory([]);
  const copy = dag.directory([
    { id: lost, name: 'lost' },
    { id: dag.raw(Buffer.from('x')), name: 'x' },
  ]);
  const root = dag.directory([
    { id: copy, name: 'a' },
    { id: copy, name: 'b' },
  ]);
  const { files, problems } = await getIt(root);
  assert.deepEqual([files, problems.damaged], [2, 2]);
});
