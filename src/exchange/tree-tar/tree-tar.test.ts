import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import type { Root } from '../../core/model.ts';
import { treeState, writeHardTree } from '../../testing/hard-tree.ts';
import { MemoryBlocks } from '../../testing/memory-blocks.ts';
import { tarHeader } from './header.ts';
import { type TarPart, treeTar } from './tree-tar.ts';

const blocks = new MemoryBlocks();
const { signal } = new AbortController();
let dir: string;
let source: string;
let root: Root;

before(async () => {
  dir = mkdtempSync(join(tmpdir(), 'shardctl-tar-'));
  source = await writeHardTree(join(dir, 'source'));
  root = await blocks.importTree(source);
});
after(() => {
  spawnSync('chmod', ['-R', 'u+rwx', dir]);
  rmSync(dir, { recursive: true, force: true });
});

const partOf = (part: Partial<TarPart>): TarPart => ({ root, path: '', name: '', blocks, isOwn: true, specialBits: true, ...part });

async function tarOf(...parts: readonly Partial<TarPart>[]): Promise<Buffer> {
  const out: Uint8Array[] = [];
  for await (const bytes of treeTar(parts.map(partOf), signal)) out.push(bytes);
  return Buffer.concat(out);
}

/** @returns the directory into which tar has unpacked it */
function unpacked(tar: Buffer, name: string): string {
  const into = join(dir, name);
  mkdirSync(into);
  const { status, stderr } = spawnSync('tar', ['-xpf', '-', '-C', into], { input: tar, encoding: 'utf8' });
  assert.equal(status, 0, stderr);
  // Of odd times it says what it thinks of them.
  assert.deepEqual(
    stderr.split('\n').filter((line) => line !== '' && !line.includes('time stamp')),
    [],
  );
  return into;
}

test('tar unpacks what was there: every name, byte, target, mode and time to the nanosecond', async () => {
  const into = unpacked(await tarOf({}), 'whole');
  const [expected, actual] = [treeState(source), treeState(into)];
  // Of the directory itself, whose entry is not in the tar.
  expected.delete('');
  actual.delete('');
  assert.deepEqual(actual, expected);
});

test('a part has its name, and what is left out is not in it, nor what is below it', async () => {
  const into = unpacked(await tarOf({ path: 'deep', name: 'deep', excludes: (path) => path === 'er/and' }), 'part');
  assert.deepEqual([...treeState(into).keys()], ['', '/deep', '/deep/er']);
});

test('parts lie side by side in one tar, each by its name', async () => {
  const into = unpacked(
    await tarOf({ path: 'deep', name: 'deep' }, { path: 'plain', name: 'plain' }, { path: 'deep/er', name: 'again' }),
    'parts',
  );
  const [before, after] = [treeState(source), treeState(into)];
  const at = (state: Map<string, unknown>, top: string) =>
    [...state].filter(([path]) => path === top || path.startsWith(`${top}/`)).map(([path, what]) => [path.slice(top.length), what]);
  for (const [from, to] of [
    ['/deep', '/deep'],
    ['/plain', '/plain'],
    ['/deep/er', '/again'],
  ] as const)
    assert.deepEqual(at(after, to), at(before, from));
  assert.deepEqual(readdirSync(into).sort(), ['again', 'deep', 'plain']);
});

test('a block that cannot be read ends it with what is wrong, inside the file, so that whoever unpacks it notices', async () => {
  let left = Number.POSITIVE_INFINITY;
  let reads = 0;
  const counted = { read: (digest: Uint8Array) => (++reads > left ? blocks.read(new Uint8Array(32)) : blocks.read(digest)) };
  const part = partOf({ path: 'large', name: 'large', blocks: counted });
  const out: Uint8Array[] = [];
  const write = async () => {
    for await (const bytes of treeTar([partOf({ path: 'plain', name: 'plain' }), part], signal)) out.push(bytes);
  };
  await write();
  [left, reads] = [reads - 1, 0];
  out.length = 0;
  await assert.rejects(write(), { code: 'DAMAGE' });
  const { status, stdout, stderr } = spawnSync('tar', ['-tf', '-'], { input: Buffer.concat(out), encoding: 'utf8' });
  assert.deepEqual([status, stdout], [2, 'plain\nlarge\n']);
  assert.match(stderr, /Unexpected EOF/);
});

test("bits that run as somebody else are left out of a stranger's tree", async () => {
  const into = unpacked(await tarOf({ path: 'plain', name: 'plain', specialBits: false, isOwn: false }), 'bits');
  assert.equal((treeState(into).get('/plain') as unknown[])[2], 0o755);
});

test('a record of pax counts its own length', () => {
  for (let length = 80; length < 1100; length++) {
    const path = 'x'.repeat(length);
    const header = tarHeader({ path, kind: 1, size: 0, mode: 0o644, mtimeNs: 0n, target: undefined });
    if (length <= 100) assert.equal(header.length, 512);
    else {
      const bytes = Number.parseInt(header.toString('latin1', 512), 10);
      assert.equal(header.toString('latin1', 512, 512 + bytes), `${bytes} path=${path}\n`);
      assert.equal(header.length % 512, 0);
    }
  }
});

test('sizes from 8 GiB on, and times before 1970, are written', () => {
  const header = String(tarHeader({ path: 'x', kind: 1, size: 2 ** 33, mode: 0, mtimeNs: -1_500_000_000n, target: undefined }));
  assert.match(header, /\d+ size=8589934592\n\d+ mtime=-1\.5\n/);
});
