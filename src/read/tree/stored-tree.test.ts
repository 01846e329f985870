import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, readdirSync, realpathSync, rmSync, type Stats, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import { FILE } from '../../core/model.ts';
import { profileOf } from '../../dag/cid-profile.ts';
import { MemoryBlocks } from '../../testing/memory-blocks.ts';
import { DecodedNodes } from './decoded-nodes.ts';
import { TreeInShards, treeToJudge } from './stored-tree.ts';
import { TreePaths } from './tree-paths.ts';

/** Files of one leaf, of several, and none; directories of three entries are HAMT directories. */
const PROFILE = { ...profileOf('unixfs-v1-2025', 'size-4'), hamtThreshold: 120 };
const files = fc.dictionary(
  fc.array(fc.constantFrom('a', 'b', 'c'), { minLength: 1, maxLength: 3 }).map((names) => names.join('/')),
  fc.constantFrom('', 'x', 'abcd', 'abcde', 'abcdefghij'),
  { maxKeys: 8, noNullPrototype: true },
);

/** Makes the files; what would lie below a file is left out. @returns what is there, by path */
function make(dir: string, wanted: Readonly<Record<string, string>>): Map<string, string> {
  const made = new Map<string, string>();
  for (const [path, text] of Object.entries(wanted)) {
    try {
      mkdirSync(dirname(join(dir, path)), { recursive: true });
      writeFileSync(join(dir, path), text);
      made.set(path, text);
    } catch {
      // Something else is there.
    }
  }
  return made;
}

test('a judge sees each file with its size, its bytes and their hash, and of two trees just what differs', async () => {
  await fc.assert(
    fc.asyncProperty(files, files, fc.boolean(), async (older, newer, metadata) => {
      const dir = mkdtempSync(join(tmpdir(), 'shardctl-stored-tree-'));
      try {
        const blocks = new MemoryBlocks();
        const [before, now] = [make(join(dir, 'a'), older), make(join(dir, 'b'), newer)];
        for (const name of ['a', 'b']) mkdirSync(join(dir, name), { recursive: true });
        const rootOf = async (name: string) => await blocks.importTree(join(dir, name), { profile: PROFILE, metadata });
        const [passed, root] = [await rootOf('a'), await rootOf('b')];
        const tree = treeToJudge({ root, passed, blocks, signal: new AbortController().signal });
        for (const [path, text] of now) {
          const entry = await tree.entry(path);
          assert.ok(entry !== undefined && entry.kind === FILE);
          assert.equal(entry.size, text.length);
          const read: Uint8Array[] = [];
          for await (const bytes of tree.bytes(entry)) read.push(bytes);
          assert.equal(Buffer.concat(read).toString(), text);
          if (entry.sha256 !== undefined) assert.deepEqual(Buffer.from(entry.sha256), createHash('sha256').update(text).digest());
          else assert.ok(text.length > 4, 'a file of one leaf says its hash');
          assert.ok((await tree.names(dirname(path) === '.' ? '' : dirname(path))).includes(path.slice(path.lastIndexOf('/') + 1)));
        }
        for (const path of before.keys()) {
          assert.ok((await tree.passed?.entry(path)) !== undefined);
          if (!now.has(path)) assert.notEqual((await tree.entry(path))?.kind, FILE);
        }
        const changed = new Set<string>();
        for await (const { path, before: was, now: is } of tree.changes()) {
          if (was === FILE || is === FILE) changed.add(path);
          assert.equal(was === FILE, before.has(path));
        }
        const differing = [...new Set([...before.keys(), ...now.keys()])].filter((path) => before.get(path) !== now.get(path));
        for (const path of differing) assert.ok(changed.has(path), path);
        if (!metadata) assert.equal(changed.size, differing.length);
      } finally {
        rmSync(dir, { recursive: true });
      }
    }),
    { numRuns: 20 },
  );
});

/** A target makes a symlink of a path. */
const parts = (of: readonly string[], most: number) =>
  fc.array(fc.constantFrom(...of), { minLength: 1, maxLength: most }).map((names) => names.join('/'));
const entries = fc.array(
  fc.record({ path: parts(['a', 'b', 'c'], 3), target: fc.option(parts(['a', 'b', 'c', '..', '.'], 3), { nil: undefined }) }),
  { maxLength: 8 },
);

test('no node is read from the shards twice, whether it is met as a change or by its path', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'shardctl-stored-tree-'));
  try {
    const stored = new MemoryBlocks();
    make(join(dir, 'a'), { 'x/a': '1', 'x/b': '1', y: '1' });
    make(join(dir, 'b'), { 'x/a': '2', 'x/b': '1', y: '1' });
    const rootOf = async (name: string) => await stored.importTree(join(dir, name), { profile: PROFILE, metadata: true });
    const read: string[] = [];
    const blocks = {
      read: async (digest: Uint8Array) => {
        read.push(Buffer.from(digest).toString('hex'));
        return await stored.read(digest);
      },
    };
    const tree = treeToJudge({ root: await rootOf('b'), passed: await rootOf('a'), blocks, signal: new AbortController().signal });
    for await (const { path } of tree.changes()) for (const of of [tree, tree.passed]) await of?.entry(path);
    assert.ok(read.length > 0);
    assert.deepEqual(read, [...new Set(read)]);
  } finally {
    rmSync(dir, { recursive: true });
  }
});

test('whichever paths are asked for, and in which order, a judge finds there what the file system does', async () => {
  await fc.assert(
    fc.asyncProperty(entries, fc.array(parts(['a', 'b', 'c'], 4), { minLength: 1, maxLength: 30 }), async (wanted, asked) => {
      const dir = mkdtempSync(join(tmpdir(), 'shardctl-stored-tree-'));
      try {
        for (const { path, target } of wanted) {
          try {
            mkdirSync(dirname(join(dir, path)), { recursive: true });
            if (target === undefined) writeFileSync(join(dir, path), path);
            else symlinkSync(target, join(dir, path));
          } catch {
            // Something else is there.
          }
        }
        const blocks = new MemoryBlocks();
        const root = await blocks.importTree(dir, { profile: PROFILE, metadata: false });
        const tree = treeToJudge({ root, passed: undefined, blocks, signal: new AbortController().signal });
        for (const path of asked) {
          const expected = lookedUp(dir, path);
          const entry = await tree.entry(path);
          assert.deepEqual(
            entry && { isFile: entry.kind === FILE, size: entry.size },
            expected && { isFile: expected.isFile(), size: expected.isFile() ? expected.size : 0 },
            path,
          );
          assert.deepEqual(await tree.names(path), expected?.isDirectory() ? readdirSync(join(dir, path)).sort() : [], path);
        }
      } finally {
        rmSync(dir, { recursive: true });
      }
    }),
    { numRuns: 60 },
  );
});

/** Undefined where nothing is, and where a symlink leads out of `dir`. */
function lookedUp(dir: string, path: string): Stats | undefined {
  try {
    // As the kernel has it: the other one takes `c/..` for nothing, although `c` may be a symlink.
    const real = realpathSync.native(join(dir, path));
    return real === dir || real.startsWith(`${dir}/`) ? statSync(real) : undefined;
  } catch {
    return undefined;
  }
}

test('directories stay decoded while each of their files is looked at, however many these are', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'shardctl-stored-tree-'));
  try {
    const above = Array.from({ length: 20 }, (_, at) => `directory ${at}`);
    const names = ['one', 'two', 'three', 'four'];
    make(dir, Object.fromEntries(above.flatMap((directory) => names.map((name) => [`${directory}/${name}`, `${directory} ${name}`]))));
    const memory = new MemoryBlocks();
    const root = await memory.importTree(dir, { profile: profileOf('unixfs-v1-2025'), metadata: true });
    let reads = 0;
    const read = (digest: Uint8Array) => {
      reads++;
      return memory.read(digest);
    };
    // Room for the root and the directories, and for a few of the files.
    const tree = new TreeInShards(root, { read }, new TreePaths(new DecodedNodes(60_000)));
    for (const name of names) for (const directory of above) assert.ok(await tree.entry(`${directory}/${name}`));
    assert.equal(reads, 1 + above.length + above.length * names.length);
  } finally {
    rmSync(dir, { recursive: true });
  }
});
