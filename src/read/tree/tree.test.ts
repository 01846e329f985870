import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { DIRECTORY, FILE, type Root, SYMLINK } from '../../core/model.ts';
import { cidText } from '../../dag/cid.ts';
import { MemoryBlocks } from '../../testing/memory-blocks.ts';
import { type ByteRange, cat } from '../cat.ts';
import { ls } from '../ls.ts';
import { linksOf, readEntry, resolve } from './tree.ts';
import type { WalkedEntry } from './tree-walk.ts';

let dir: string;
let root: Root;
const blocks = new MemoryBlocks();
const signal = new AbortController().signal;
const large = Buffer.alloc(3_000_000, 'some bytes');

before(async () => {
  dir = mkdtempSync(join(tmpdir(), 'shardctl-tree-'));
  mkdirSync(join(dir, 'a/b'), { recursive: true });
  mkdirSync(join(dir, 'many'));
  // Over 256 KiB of names: a HAMT directory, whose links are in the order of hashes.
  for (let i = 0; i < 3000; i++) writeFileSync(join(dir, 'many', `${'n'.repeat(100)}${i}`), `${i}`);
  writeFileSync(join(dir, 'a/large'), large, { mode: 0o600 });
  writeFileSync(join(dir, 'a/B'), '');
  writeFileSync(join(dir, 'a/\u{1F600}'), 'astral');
  writeFileSync(join(dir, 'a/\uFFFD'), 'replacement');
  symlinkSync('b', join(dir, 'a/link'));
  root = await blocks.importTree(dir);
});
after(() => rmSync(dir, { recursive: true, force: true }));

async function list(path: string): Promise<WalkedEntry[]> {
  const entries: WalkedEntry[] = [];
  for await (const entry of ls({ root, path, blocks, signal })) entries.push(entry);
  return entries;
}

async function read(path: string, range?: ByteRange): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  for await (const part of cat({ root, path, blocks, signal, range })) parts.push(part);
  return Buffer.concat(parts);
}

test('a listing is sorted by bytes and tells kind, size, mode and target', async () => {
  const entries = await list('a');
  const utf8 = (name: string) => Buffer.from(name).toString('latin1');
  assert.deepEqual(
    entries.map(({ path }) => path),
    ['B', 'b', 'large', 'link', utf8('\uFFFD'), utf8('\u{1F600}')],
  );
  const [, b, file, link] = entries as [WalkedEntry, WalkedEntry, WalkedEntry, WalkedEntry];
  assert.deepEqual([b.kind, file.kind, link.kind], [DIRECTORY, FILE, SYMLINK]);
  assert.deepEqual([file.size, file.mode, file.target], [large.length, 0o600, undefined]);
  assert.deepEqual([link.size, link.mode, String(link.target)], [1, undefined, 'b']);
  assert.equal(cidText(file, 1), cidText(await resolve(root, 'a/large', blocks), 1));
});

test('a HAMT directory lists and resolves as any other', async () => {
  const links = await linksOf(await resolve(root, 'many', blocks), blocks);
  assert.equal(links.length, 3000);
  assert.deepEqual(
    links.map(({ name }) => name),
    [...links.map(({ name }) => name)].sort(),
  );
  assert.equal(String(await read(`many/${'n'.repeat(100)}2999`)), '2999');
});

test('listing what is not a directory gives that one entry', async () => {
  assert.deepEqual(
    (await list('a/large')).map(({ path, size }) => [path, size]),
    [['large', large.length]],
  );
});

test('cat gives the bytes of a file, and of nothing else', async () => {
  assert.deepEqual(await read('a/large'), large);
  assert.deepEqual(await read('/a//B/'), Buffer.alloc(0));
  await assert.rejects(read('a'), { code: 'USAGE', message: /"a" is not a file/ });
  await assert.rejects(read('a/link'), { code: 'USAGE' });
  await assert.rejects(read('a/none'), { code: 'NOT_FOUND' });
  await assert.rejects(read('a/large/below'), { code: 'NOT_FOUND', message: /"below" in "a\/large": it is a file/ });
});

test('a range is read as HTTP means it', async () => {
  const last = large.length - 1;
  const ranges: [ByteRange, Buffer][] = [
    [{ first: 0, last: 0 }, large.subarray(0, 1)],
    [{ first: 1_048_570, last: 1_048_580 }, large.subarray(1_048_570, 1_048_581)],
    [{ first: last, last: undefined }, large.subarray(-1)],
    [{ first: 7, last: last + 100 }, large.subarray(7)],
    [{ suffix: 5 }, large.subarray(-5)],
    [{ suffix: last + 100 }, large],
  ];
  for (const [range, expected] of ranges) assert.deepEqual(await read('a/large', range), expected, JSON.stringify(range));
  assert.deepEqual(await read('a/B', { suffix: 5 }), Buffer.alloc(0));
  await assert.rejects(read('a/B', { first: 0, last: undefined }), { code: 'USAGE', message: /has 0 bytes: none from 0 on/ });
  await assert.rejects(read('a/large', { first: last + 1, last: undefined }), { code: 'USAGE', message: /has 3,000,000 bytes: none from/ });
});

test('an entry that is read has its metadata as they were on disk', async () => {
  const entry = await readEntry(root, blocks);
  assert.equal(entry.kind, DIRECTORY);
  assert.equal(typeof entry.mtimeNs, 'bigint');
  assert.equal(entry.mode, 0o700, 'mkdtemp makes private directories');
});
