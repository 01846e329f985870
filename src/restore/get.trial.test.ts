import assert from 'node:assert/strict';
import {
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import type { Event } from '../core/events.ts';
import { DAG_PB, RAW, type Root } from '../core/model.ts';
import { profileOf } from '../dag/cid-profile.ts';
import { buildDirectory } from '../dag/directory-node.ts';
import { encodeFileNode } from '../dag/file-node.ts';
import { treeState, writeHardTree } from '../testing/hard-tree.ts';
import { MemoryBlocks } from '../testing/memory-blocks.ts';
import { CID_COLUMN_BYTES } from '../walk/directory.ts';
import { Destination } from './destination.ts';
import { type GetOptions, type GetSummary, get } from './get.ts';

let dir: string;
let blocks: MemoryBlocks;
let events: Event[];
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'shardctl-get-'));
  blocks = new MemoryBlocks();
  events = [];
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

function restore(root: Root, options: Partial<GetOptions> = {}): Promise<GetSummary> {
  const signal = new AbortController().signal;
  return get({ root, path: '', out: join(dir, 'out'), blocks, emit: (event) => events.push(event), signal, specialBits: true, ...options });
}

test('a tree comes back with bytes, names, symlinks, modes and nanoseconds', async () => {
  const source = await writeHardTree(join(dir, 'source'));
  const before = treeState(source);
  const summary = await restore(await blocks.importTree(source));
  assert.deepEqual(treeState(join(dir, 'out')), before);
  const kinds = [...before.values()].map((entry) => (entry as [string])[0]);
  const count = (kind: string) => kinds.filter((it) => it === kind).length;
  assert.deepEqual([summary.files, summary.directories, summary.symlinks], [count('file'), count('directory'), count('symlink')]);
  assert.deepEqual(
    events.filter(({ type }) => type === 'warning'),
    [],
  );
});

test('where not even OUT can be made, nothing is said to be in it', async () => {
  const root = await blocks.importTree(await writeHardTree(join(dir, 'source')));
  const out = join(dir, 'x'.repeat(300));
  await assert.rejects(restore(root, { out }), { code: 'IO', message: /ENAMETOOLONG/, hint: /^give another OUT/ });
});

test('a tree without metadata comes back with its content', async () => {
  for (const profile of ['unixfs-v1-2025', 'unixfs-v0-2015']) {
    const source = join(dir, profile);
    mkdirSync(join(source, 'sub/empty'), { recursive: true });
    writeFileSync(join(source, 'sub/file'), Buffer.alloc(700_000, 'abc'));
    writeFileSync(join(source, 'nothing'), '');
    symlinkSync('sub', join(source, 'link'));
    const out = join(dir, `out-${profile}`);
    await restore(await blocks.importTree(source, { metadata: false, profile: profileOf(profile) }), { out });
    assert.deepEqual(treeState(out, false), treeState(source, false));
  }
});

test('a file, a symlink or a directory inside the tree becomes OUT itself', async () => {
  const source = join(dir, 'source');
  mkdirSync(join(source, 'a/b'), { recursive: true });
  writeFileSync(join(source, 'a/b/file'), 'content', { mode: 0o640 });
  symlinkSync('b/file', join(source, 'a/link'));
  const root = await blocks.importTree(source);
  for (const path of ['a', 'a/b', 'a/b/file', 'a/link']) {
    const out = join(dir, 'out', path.replaceAll('/', '-'));
    mkdirSync(join(dir, 'out'), { recursive: true });
    await restore(root, { path, out });
    assert.deepEqual(treeState(out), treeState(join(source, path)), path);
  }
  await assert.rejects(restore(root, { path: 'a/none', out: join(dir, 'new') }), { code: 'NOT_FOUND', message: /"none" in "a"/ });
  await assert.rejects(restore(root, { path: 'a/link/x', out: join(dir, 'new') }), { code: 'NOT_FOUND', message: /symlink/ });
  assert.equal(existsSync(join(dir, 'new')), false);
});

test('an OUT that holds something is refused and left as it is; an empty directory is taken', async () => {
  const source = join(dir, 'source');
  mkdirSync(source);
  writeFileSync(join(source, 'file'), 'new');
  const root = await blocks.importTree(source);
  const out = join(dir, 'out');
  mkdirSync(out, { mode: 0o700 });
  await restore(root);
  assert.deepEqual(treeState(out), treeState(source));
  writeFileSync(join(out, 'file'), 'mine');
  await assert.rejects(restore(root), { code: 'USAGE', hint: /--overwrite/ });
  await assert.rejects(restore(root, { out: join(out, 'file') }), { code: 'USAGE' });
  assert.equal(readFileSync(join(out, 'file'), 'utf8'), 'mine');
});

test('overwriting replaces files and symlinks, follows none of them, and keeps what the tree does not name', async () => {
  const source = join(dir, 'source');
  mkdirSync(join(source, 'sub'), { recursive: true });
  writeFileSync(join(source, 'file'), 'new');
  writeFileSync(join(source, 'was link'), 'new');
  writeFileSync(join(source, 'sub/file'), 'new');
  symlinkSync('file', join(source, 'was file'));
  const root = await blocks.importTree(source);
  const [out, elsewhere] = [join(dir, 'out'), join(dir, 'elsewhere')];
  mkdirSync(out);
  mkdirSync(elsewhere);
  writeFileSync(join(elsewhere, 'file'), 'not ours');
  writeFileSync(join(out, 'file'), 'old');
  writeFileSync(join(out, 'was file'), 'old');
  writeFileSync(join(out, 'extra'), 'stays');
  symlinkSync(join(elsewhere, 'file'), join(out, 'was link'));
  symlinkSync(elsewhere, join(out, 'sub'));
  await restore(root, { overwrite: true });
  assert.equal(readFileSync(join(elsewhere, 'file'), 'utf8'), 'not ours');
  assert.equal(readFileSync(join(out, 'extra'), 'utf8'), 'stays');
  rmSync(join(out, 'extra'));
  utimesSync(out, lstatSync(source).atime, lstatSync(source).mtime);
  assert.deepEqual(treeState(out, false), treeState(source, false));
});

test('overwriting never removes a directory', async () => {
  const source = join(dir, 'source');
  mkdirSync(source);
  writeFileSync(join(source, 'file'), 'new');
  const root = await blocks.importTree(source);
  mkdirSync(join(dir, 'out/file'), { recursive: true });
  const { failure } = await restore(root, { overwrite: true });
  assert.equal(failure?.code, 'NOT_WRITTEN');
  assert.deepEqual(readdirSync(join(dir, 'out')), ['file']);
});

/** A directory node with any names at all, each an empty raw file. */
function directoryOf(names: readonly string[]): Root {
  const cids = Buffer.alloc(names.length * CID_COLUMN_BYTES);
  const digest = blocks.put(Buffer.from('escaped'));
  for (const index of names.keys()) {
    cids[index * CID_COLUMN_BYTES] = RAW;
    cids.set(digest, index * CID_COLUMN_BYTES + 1);
  }
  const links = { count: names.length, names, cids, dagSizes: new Float64Array(names.length).fill(7) };
  return buildDirectory(links, undefined, profileOf('unixfs-v1-2025'), blocks.put);
}

test('names that lead out of the tree, or stand twice, are damage; nothing is written', async () => {
  for (const names of [['..'], ['.'], [''], ['../escaped'], ['/escaped'], ['a/b'], ['a\0b'], ['same', 'same']]) {
    const out = join(dir, 'jail', 'out');
    mkdirSync(out, { recursive: true });
    assert.equal((await restore(directoryOf(names), { out })).failure?.code, 'DAMAGE', JSON.stringify(names));
    assert.deepEqual(readdirSync(join(dir, 'jail')), ['out']);
    assert.deepEqual(readdirSync(out), []);
  }
});

test('sizes that do not add up are damage', async () => {
  const leaf = (data: string, fileBytes: number) => {
    const digest = blocks.put(Buffer.from(data));
    return { codec: RAW, digest, fileBytes, dagSize: data.length } as const;
  };
  for (const fileBytes of [2, 4]) {
    const digest = blocks.put(encodeFileNode([leaf('one', 3), leaf('two', fileBytes)], undefined, 1));
    await assert.rejects(restore({ codec: DAG_PB, digest, dagSize: 0 }), { code: 'DAMAGE' });
    assert.equal(existsSync(join(dir, 'out')), false);
  }
});

test('an aborted run stops', async () => {
  const source = join(dir, 'source');
  mkdirSync(source);
  for (let i = 0; i < 5000; i++) writeFileSync(join(source, `${i}`), '');
  const root = await blocks.importTree(source);
  const stop = new AbortController();
  const emit = (event: Event) => {
    if (event.type === 'progress' && event.done > 0) stop.abort();
  };
  await assert.rejects(restore(root, { emit, signal: stop.signal }), { name: 'AbortError' });
  assert.ok(readdirSync(join(dir, 'out')).length < 5000);
});

test('without koffi, times are restored to the microsecond, also before 1970, and one warning says so', () => {
  const destination = new Destination({
    libc: undefined,
    overwrite: false,
    specialBits: false,
    warn: (message) => events.push({ type: 'warning', message }),
  });
  for (const [name, mtimeNs] of Object.entries({ old: -1_500_000_000n, fine: 1_700_000_000_123_456_789n })) {
    const path = join(dir, name);
    destination.finishFile(destination.createFile(path, { mtimeNs }), { mtimeNs });
    const off = Math.abs(Number(lstatSync(path, { bigint: true }).mtimeNs - mtimeNs));
    assert.ok(off < 1000, `${name} is ${off} ns off`);
  }
  assert.equal(events.length, 1);
});
