import assert from 'node:assert/strict';
import { lstatSync, mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import { type BlockId, type ByteString, DIRECTORY, FILE, SYMLINK } from '../../core/model.ts';
import { fsPath, toBytes } from '../../core/path-bytes.ts';
import { profileOf } from '../../dag/cid-profile.ts';
import { HostileDag } from '../../testing/hostile-dag.ts';
import { MemoryBlocks } from '../../testing/memory-blocks.ts';
import { treeRoot } from '../../testing/tree-root.ts';
import { DecodedNodes } from './decoded-nodes.ts';
import { NotInTree, resolve } from './tree.ts';
import { MOST_SYMLINKS, TreePaths } from './tree-paths.ts';

/** Few names, so that targets and paths meet them. */
const NAMES = ['a', 'b', 'c', '\xff\xe4', 'dists'];
const names = fc.array(fc.constantFrom(...NAMES), { minLength: 1, maxLength: 3 });
const step = fc.constantFrom(...NAMES, ...NAMES, '..', '..', '.', '');
const targets = fc.oneof(
  { weight: 8, arbitrary: fc.array(step, { minLength: 1, maxLength: 4 }).map((parts) => parts.join('/')) },
  { weight: 1, arbitrary: fc.constantFrom('/tmp', '/a', '.', '..', './') },
);
type Planned = { readonly path: readonly string[]; readonly target: string | undefined };
const planned: fc.Arbitrary<readonly Planned[]> = fc.array(
  fc.record({ path: names, target: fc.option(targets, { nil: undefined, freq: 2 }) }),
  { maxLength: 14 },
);
const probes = fc.array(fc.array(fc.constantFrom(...NAMES), { maxLength: 5 }), { minLength: 5, maxLength: 30 });

/** Makes files and symlinks; what would lie below a file, or through a symlink, is left out. */
function make(root: ByteString, entries: readonly Planned[]): void {
  for (const { path, target } of entries) {
    try {
      for (const [i] of path.slice(1).entries()) {
        const above = fsPath(`${root}/${path.slice(0, i + 1).join('/')}`);
        if (lstatSync(above, { throwIfNoEntry: false })?.isDirectory() !== true) mkdirSync(above);
      }
      const at = fsPath(`${root}/${path.join('/')}`);
      if (target === undefined) writeFileSync(at, path.join(' '), { flag: 'wx' });
      else if (target !== '') symlinkSync(fsPath(target), at);
    } catch {
      // Something else is there.
    }
  }
}

/** Where the kernel finds the entry, below the root; undefined when it finds none, or leaves the tree. */
function found(root: ByteString, path: string): ByteString | undefined {
  try {
    const real = realpathSync.native(fsPath(path === '' ? root : `${root}/${path}`), 'buffer').toString('latin1');
    return real === root ? '' : real.startsWith(`${root}/`) ? real.slice(root.length + 1) : undefined;
  } catch {
    return undefined;
  }
}

/** Directories of three entries are HAMT directories, of nodes with few slots to share. */
const SMALL_HAMTS = { ...profileOf('unixfs-v1-2025'), hamtThreshold: 120 };

test('a path leads where the kernel goes, and nowhere where it goes out of the tree', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'shardctl-tree-paths-'));
  const law = fc.asyncProperty(planned, probes, fc.boolean(), async (entries, paths, isHamt) => {
    const root = toBytes(mkdtempSync(join(dir, 'root-')));
    make(root, entries);
    const blocks = new MemoryBlocks();
    const options = { profile: isHamt ? SMALL_HAMTS : profileOf('unixfs-v1-2025'), metadata: true, emit: blocks.put };
    const tree = await treeRoot(root, options);
    const finder = new TreePaths();
    for (const parts of paths) {
      const path = parts.join('/');
      const wanted = found(root, path);
      if (wanted === undefined) {
        await assert.rejects(finder.find(tree, path, blocks), NotInTree, path);
        continue;
      }
      const entry = await finder.find(tree, path, blocks);
      const { digest } = await treeRoot(wanted === '' ? root : `${root}/${wanted}`, options);
      assert.deepEqual([entry.path, Buffer.compare(entry.digest, digest)], [wanted, 0], path);
      assert.deepEqual([entry.way[0]?.digest, entry.way.at(-1)?.digest.length], [tree.digest, 32]);
    }
  });
  try {
    await fc.assert(law, { numRuns: 60 });
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
});

test('where there are no symlinks a path leads where the walk that reads whole directories goes', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'shardctl-tree-paths-'));
  const law = fc.asyncProperty(planned, probes, async (entries, paths) => {
    const root = toBytes(mkdtempSync(join(dir, 'root-')));
    make(
      root,
      entries.filter(({ target }) => target === undefined),
    );
    const blocks = new MemoryBlocks();
    const tree = await treeRoot(root, { profile: SMALL_HAMTS, metadata: true, emit: blocks.put });
    const finder = new TreePaths(new DecodedNodes(2000));
    for (const parts of paths) {
      const path = parts.join('/');
      const outcome = async (find: () => Promise<BlockId>) =>
        find().then(
          ({ digest }) => Buffer.from(digest).toString('hex'),
          () => 'none',
        );
      assert.equal(await outcome(() => finder.find(tree, path, blocks)), await outcome(() => resolve(tree, path, blocks)), path);
    }
  });
  try {
    await fc.assert(law, { numRuns: 40 });
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
});

test('as many symlinks are followed as by the kernel, and one that leads to itself is none', async () => {
  const dir = toBytes(mkdtempSync(join(tmpdir(), 'shardctl-tree-paths-')));
  writeFileSync(`${dir}/0`, 'end');
  for (let i = 1; i <= MOST_SYMLINKS + 1; i++) symlinkSync(`${i - 1}`, `${dir}/${i}`);
  symlinkSync('self', `${dir}/self`);
  symlinkSync('.', `${dir}/here`);
  const blocks = new MemoryBlocks();
  const tree = await blocks.importTree(dir);
  const finder = new TreePaths();
  const outcome = (path: string) =>
    finder.find(tree, path, blocks).then(
      (entry) => entry.path,
      () => undefined,
    );
  for (const path of ['40', '41', 'self', `${'here/'.repeat(40)}0`, `${'here/'.repeat(41)}0`, 'here/20/x', '0/.', '0/..', '..'])
    assert.equal(await outcome(path), /\.\.?$/.test(path) ? undefined : found(dir, path), path);
  assert.equal(await outcome('40'), '0');
  assert.equal(await outcome('41'), undefined);
  rmSync(dir, { recursive: true, force: true });
});

test('the message says where the path ended, and why', async () => {
  const dag = new HostileDag();
  const dir = mkdtempSync(join(tmpdir(), 'shardctl-tree-paths-'));
  mkdirSync(join(dir, 'd'));
  writeFileSync(join(dir, 'file'), 'text');
  symlinkSync('/etc', join(dir, 'd/out'));
  symlinkSync('../..', join(dir, 'd/up'));
  const blocks = new MemoryBlocks();
  const tree = await blocks.importTree(dir);
  const finder = new TreePaths();
  const cases: [string, RegExp][] = [
    ['d/x/y', /^there is no "x" in "d"$/],
    ['file/x', /^there is no "x" in "file": it is a file$/],
    ['d/out/passwd', /"d\/out"\) leads out of the tree$/],
    ['d/up', /leads out of the tree$/],
    ['d/../file', /^no entry is named "\.\."$/],
  ];
  for (const [path, message] of cases) await assert.rejects(finder.find(tree, path, blocks), { code: 'NOT_FOUND', message }, path);
  const odd = dag.directory([{ id: dag.raw(Buffer.from('x')), name: '../x' }]);
  await assert.rejects(finder.find(odd, 'x', dag), { code: 'DAMAGE' });
  const twice = dag.directory(['a', 'a'].map((name) => ({ id: dag.raw(Buffer.from(name)), name })));
  await assert.rejects(finder.find(twice, 'a', dag), { code: 'DAMAGE' });
  rmSync(dir, { recursive: true, force: true });
});

test('of a HAMT directory only the nodes on the way to the name are read, and those once; a raw leaf is not read', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'shardctl-tree-paths-'));
  for (let i = 0; i < 2000; i++) writeFileSync(join(dir, `${i}`), 'x');
  const blocks = new MemoryBlocks();
  const tree = await treeRoot(toBytes(dir), {
    profile: { ...profileOf('unixfs-v1-2025'), hamtThreshold: 1000 },
    metadata: false,
    emit: blocks.put,
  });
  let reads = 0;
  const counting = {
    read: async (digest: Uint8Array) => {
      reads++;
      return await blocks.read(digest);
    },
  };
  const finder = new TreePaths();
  const entry = await finder.find(tree, '77', counting);
  assert.deepEqual([entry.kind, entry.node, reads, entry.way.length], [FILE, undefined, entry.way.length - 1, reads + 1]);
  assert.ok(reads <= 3);
  const before = reads;
  assert.equal((await finder.find(tree, '77', counting)).way.length, entry.way.length);
  assert.equal(reads, before);
  await assert.rejects(finder.find(tree, 'none', counting), NotInTree);
  assert.equal((await finder.find(tree, '', counting)).kind, DIRECTORY);
  rmSync(dir, { recursive: true, force: true });
});

test('a HAMT directory that a stranger made leads no deeper than a hash does', async () => {
  const dag = new HostileDag();
  const every = (id: BlockId) => Array.from({ length: 8 }, (_, slot) => ({ id, name: `${slot}` }));
  let node = dag.hamt([{ id: dag.raw(Buffer.from('x')), name: '0x' }], 8);
  for (let level = 0; level < 30; level++) node = dag.hamt(every(node), 8);
  await assert.rejects(new TreePaths().find(node, 'name', dag), { code: 'DAMAGE', message: /deeper than a hash/ });
  const leaf = dag.hamt(every(dag.raw(Buffer.from('x'))), 8);
  await assert.rejects(new TreePaths().find(leaf, 'name', dag), { code: 'DAMAGE', message: /leads to a leaf/ });
  const other = dag.hamt(every(dag.directory([])), 8);
  await assert.rejects(new TreePaths().find(other, 'name', dag), { code: 'DAMAGE', message: /no part of it/ });
  assert.equal((await new TreePaths().find(dag.directory([]), '', dag)).kind === SYMLINK, false);
});
