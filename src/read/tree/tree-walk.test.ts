import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { after, before, test } from 'node:test';
import { ShardctlError } from '../../core/errors.ts';
import { DIRECTORY, FILE, type Root, SYMLINK } from '../../core/model.ts';
import { MemoryBlocks } from '../../testing/memory-blocks.ts';
import type { Blocks } from '../blocks/block-source.ts';
import { find, type Wanted } from '../find.ts';
import { usageOf } from '../usage.ts';
import { readEntry, resolve } from './tree.ts';
import { walkTree } from './tree-walk.ts';

const blocks = new MemoryBlocks();
const { signal } = new AbortController();
let dir: string;
let wide: string;
let root: Root;
let plain: Root;

before(async () => {
  dir = mkdtempSync(join(tmpdir(), 'shardctl-walk-'));
  mkdirSync(join(dir, 'a/b/c'), { recursive: true });
  mkdirSync(join(dir, 'a-b'));
  mkdirSync(join(dir, 'empty'));
  writeFileSync(join(dir, 'a/b/c/three'), 'xxx');
  writeFileSync(join(dir, 'a/b/two.deb'), 'xx');
  writeFileSync(join(dir, 'a/one.deb'), 'x');
  writeFileSync(join(dir, 'a-b/none'), '');
  symlinkSync('one.deb', join(dir, 'a/link'));
  utimesSync(join(dir, 'a/one.deb'), 1000, 1000);
  wide = join(dir, '..', `${basename(dir)}-wide`);
  mkdirSync(wide);
  for (let i = 0; i < 1000; i++) writeFileSync(join(wide, `${i}`), `${i}`);
  root = await blocks.importTree(dir);
  plain = await blocks.importTree(dir, { metadata: false });
});
after(() => {
  for (const made of [dir, wide]) rmSync(made, { recursive: true, force: true });
});

async function walked(from = root, by: Blocks = blocks, isOwn = false): Promise<[string, number][]> {
  const out: [string, number][] = [];
  for await (const { path, size } of walkTree(await readEntry(from, by), { blocks: by, signal, isOwn })) out.push([path, size]);
  return out;
}

const ALL: [string, number][] = [
  ['a', 0],
  ['a/b', 0],
  ['a/b/c', 0],
  ['a/b/c/three', 3],
  ['a/b/two.deb', 2],
  ['a/link', 7],
  ['a/one.deb', 1],
  ['a-b', 0],
  ['a-b/none', 0],
  ['empty', 0],
];

test('a walk gives each entry once, a directory before what is in it, and names by their bytes', async () => {
  assert.deepEqual(await walked(), ALL);
});

test("of a home's own tree the leaves that have no node are not read for their sizes; of a stranger's they are", async () => {
  const files = new Set<string>();
  const counting: Blocks = {
    read: async (digest) => {
      const block = await blocks.read(digest);
      if (block.length < 4) files.add(String(Buffer.from(block)));
      return block;
    },
  };
  assert.deepEqual(await walked(plain, counting, true), ALL);
  assert.deepEqual([...files], []);
  assert.deepEqual(await walked(plain, counting), ALL);
  assert.deepEqual([...files].sort(), ['', 'x', 'xx', 'xxx']);
});

test('a directory that must not be entered is given, and nothing below it', async () => {
  const paths: string[] = [];
  const enters = ({ path }: { path: string }) => path !== 'a/b';
  for await (const { path } of walkTree(await readEntry(root, blocks), { blocks, signal, enters })) paths.push(path);
  assert.deepEqual(
    paths,
    ALL.map(([path]) => path).filter((path) => !path.startsWith('a/b/')),
  );
});

test('what cannot be read is told, and the walk goes on behind it', async () => {
  const [a, b] = [await resolve(root, 'a/b', blocks), await resolve(root, 'a/one.deb', blocks)];
  const broken: Blocks = {
    read: async (digest) => {
      if ([a, b].some((gone) => Buffer.compare(gone.digest, digest) === 0)) throw new ShardctlError('DAMAGE', 'gone');
      return await blocks.read(digest);
    },
  };
  const [paths, failed]: [string[], string[]] = [[], []];
  const top = await readEntry(root, broken);
  for await (const { path } of walkTree(top, { blocks: broken, signal, failed: (path) => void failed.push(path) })) paths.push(path);
  assert.deepEqual(paths, ['a', 'a/link', 'a-b', 'a-b/none', 'empty']);
  assert.deepEqual(failed, ['a/b', 'a/one.deb']);
  await assert.rejects(walked(root, broken), { message: 'gone' });
});

test('no entry is read before it is asked for', async () => {
  const many = await blocks.importTree(wide);
  let reads = 0;
  const counting: Blocks = { read: (digest) => blocks.read(digest).finally(() => reads++) };
  const walk = walkTree(await readEntry(many, counting), { blocks: counting, signal });
  for (let taken = 1; taken <= 100; taken++) {
    await walk.next();
    assert.ok(reads <= taken + 1, `${reads} blocks for ${taken} entries`);
  }
});

async function found(wanted: Wanted, path = ''): Promise<string[]> {
  const out: string[] = [];
  for await (const entry of find({ root, path, blocks, signal, wanted })) out.push(entry.path);
  return out;
}

test('find gives what is all that is asked for, and where it began as the empty path', async () => {
  assert.deepEqual(await found({ kinds: new Set([DIRECTORY]) }), ['', 'a', 'a/b', 'a/b/c', 'a-b', 'empty']);
  assert.deepEqual(await found({ kinds: new Set([SYMLINK]) }, 'a'), ['link']);
  const name = (text: string) => text.endsWith('.deb');
  assert.deepEqual(await found({ name }), ['a/b/two.deb', 'a/one.deb']);
  assert.deepEqual(await found({ name, size: { from: 2, to: 9 } }), ['a/b/two.deb']);
  assert.deepEqual(await found({ name }, 'a/one.deb'), [''], 'a file by its own name');
  assert.deepEqual(await found({ size: { from: 0, to: 0 } }), ['a-b/none'], 'directories have no size');
  assert.deepEqual(await found({ name, newerThanNs: 1000n * 1_000_000_000n }), ['a/b/two.deb']);
  assert.deepEqual(await found({ kinds: new Set([FILE]), newerThanNs: 0n }, 'a-b'), ['none']);
});

async function used(depth: number, path = ''): Promise<[string, number, number, number, number][]> {
  const out: [string, number, number, number, number][] = [];
  for await (const { path: at, bytes, files, directories, symlinks } of usageOf({ root, path, blocks, signal, depth }))
    out.push([at, bytes, files, directories, symlinks]);
  return out;
}

test('the sum of a directory comes after those in it, and has them', async () => {
  const sums: [string, number, number, number, number][] = [
    ['a/b/c', 3, 1, 1, 0],
    ['a/b', 5, 2, 2, 0],
    ['a', 6, 3, 3, 1],
    ['a-b', 0, 1, 1, 0],
    ['empty', 0, 0, 1, 0],
    ['', 6, 4, 6, 1],
  ];
  assert.deepEqual(await used(9), sums);
  assert.deepEqual(
    await used(1),
    sums.filter(([path]) => !path.includes('/')),
  );
  assert.deepEqual(await used(0), sums.slice(-1));
  assert.deepEqual(await used(0, 'a/one.deb'), [['', 1, 1, 0, 0]]);
});
