/** What `get` does about entries that cannot be brought back, or cannot be made where they are to go. */
import assert from 'node:assert/strict';
import { existsSync, lstatSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { type ErrorCode, ShardctlError } from '../core/errors.ts';
import type { Event } from '../core/events.ts';
import { type BlockId, DAG_PB, RAW, type Root } from '../core/model.ts';
import { profileOf } from '../dag/cid-profile.ts';
import { buildDirectory } from '../dag/directory-node.ts';
import { encodeSymlink } from '../dag/file-node.ts';
import type { DagNode } from '../dag/node-reader.ts';
import { resolve } from '../read/tree/tree.ts';
import { MemoryBlocks } from '../testing/memory-blocks.ts';
import { type GetOptions, type GetSummary, get } from './get.ts';
import { RestoreReport } from './restore-report.ts';

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
  return get({ root, path: '', out: join(dir, 'out'), blocks, emit: (event) => events.push(event), signal, ...options });
}

/** What was not restored, in the order of the walk. */
function problems(): string[] {
  return events.flatMap((event) => (event.type === 'not-restored' ? [`${event.problem} ${event.path}: ${event.detail}`] : []));
}

test('a block that cannot be read costs its file alone, which is named, and leaves no half of it', async () => {
  const source = join(dir, 'source');
  mkdirSync(join(source, 'sub'), { recursive: true });
  writeFileSync(join(source, 'sub/large'), Buffer.concat([Buffer.alloc(1024 * 1024, 'x'), Buffer.from('tail')]));
  for (const name of ['a', 'z', 'sub/a', 'sub/z']) writeFileSync(join(source, name), name);
  for (const name of ['sub', '.']) utimesSync(join(source, name), 1, 1);
  const root = await blocks.importTree(source);
  blocks.drop(blocks.put(Buffer.from('tail')));
  const { failure, problems: counts } = await restore(root);
  const names = (path: string) => (readdirSync(path, { recursive: true }) as string[]).sort();
  assert.deepEqual(
    names(join(dir, 'out')),
    names(source).filter((name) => name !== 'sub/large'),
  );
  for (const name of ['sub', '.']) assert.equal(lstatSync(join(dir, 'out', name)).mtimeMs, 1000, 'times of directories too');
  assert.deepEqual(counts, { damaged: 1, away: 0, unwritable: 0 });
  assert.equal(failure?.exitCode, 44);
  assert.match(problems().join(), /^damaged .*\/out\/sub\/large: block \w+ is missing$/);
});

test('a node of a large directory that cannot be read costs what is below it', async () => {
  const source = join(dir, 'source');
  mkdirSync(join(source, 'many'), { recursive: true });
  for (let i = 0; i < 1300; i++) writeFileSync(join(source, 'many', `${i}-${'n'.repeat(200)}`), `${i}`);
  writeFileSync(join(source, 'other'), 'x');
  const root = await blocks.importTree(source);
  const many = (await resolve(root, 'many', blocks)).content as DagNode;
  assert.equal(many.type, 'hamt');
  const lost = many.links.find(({ name }) => name.length === 2);
  assert.ok(lost);
  blocks.drop(lost.digest);
  assert.equal((await restore(root)).problems.damaged, 1);
  const there = readdirSync(join(dir, 'out/many')).length;
  assert.ok(there > 1200 && there < 1300, `${there} files`);
  assert.deepEqual(lstatSync(join(dir, 'out/many'), { bigint: true }).mtimeNs, lstatSync(join(source, 'many'), { bigint: true }).mtimeNs);
  assert.equal(existsSync(join(dir, 'out/other')), true);
});

/** A directory of entries that are given with their roots. */
function treeOf(entries: Readonly<Record<string, BlockId>>): Root {
  const names = Object.keys(entries).sort();
  const cids = Buffer.concat(
    names.map((name) => Buffer.concat([Buffer.from([entries[name]?.codec ?? RAW]), entries[name]?.digest ?? Buffer.alloc(0)])),
  );
  const links = { count: names.length, names, cids, dagSizes: new Float64Array(names.length).fill(7) };
  return buildDirectory(links, undefined, profileOf('unixfs-v1-2025'), blocks.put);
}

const file = (data: string): BlockId => ({ codec: RAW, digest: blocks.put(Buffer.from(data)) });
const symlink = (target: string): BlockId => ({ codec: DAG_PB, digest: blocks.put(encodeSymlink(Buffer.from(target), undefined)) });

test('what cannot be made here is named, and the rest is restored', async () => {
  const root = treeOf({
    ['n'.repeat(300)]: file('x'),
    ['d'.repeat(300)]: treeOf({ below: file('x') }),
    empty: symlink(''),
    endless: symlink('t'.repeat(5000)),
    sub: treeOf({ ['m'.repeat(300)]: file('x'), good: file('good') }),
    z: file('z'),
    zero: symlink('a\0b'),
  });
  const { failure, problems: counts } = await restore(root);
  assert.equal(failure?.exitCode, 23);
  assert.equal(counts.unwritable, 6);
  assert.equal(problems().length, 6);
  assert.deepEqual(readdirSync(join(dir, 'out')).sort(), ['sub', 'z']);
  assert.deepEqual(readdirSync(join(dir, 'out/sub')), ['good']);
});

test('damage that comes to light stands above what cannot be written, and files on peers that do not answer between them', async () => {
  const read = (code: ErrorCode | undefined): GetOptions['blocks'] => ({
    read: async (digest) => {
      const block = await blocks.read(digest);
      if (code !== undefined && String(block).startsWith('lost')) throw new ShardctlError(code, 'cannot be had');
      return block;
    },
  });
  const root = treeOf({ ['n'.repeat(300)]: file('x'), bad: file('lost'), good: file('good') });
  const exits = [];
  for (const code of ['DAMAGE', 'TOO_FEW_PEERS', undefined] as const) {
    const { failure } = await restore(root, { blocks: read(code), out: join(dir, code ?? 'out') });
    exits.push(failure?.exitCode);
    assert.equal(existsSync(join(dir, code ?? 'out', 'good')), true);
  }
  assert.deepEqual(exits, [44, 42, 23]);
});

test('of a million entries that fail the first are named, and all counted', async () => {
  const root = treeOf(Object.fromEntries(Array.from({ length: 1000 }, (_, i) => [`${i}`, file(`gone ${i}`)])));
  for (let i = 0; i < 1000; i++) blocks.drop(file(`gone ${i}`).digest);
  assert.equal((await restore(root)).problems.damaged, 1000);
  assert.equal(problems().length, 100);
  assert.deepEqual(events.filter(({ type }) => type === 'warning').length, 1);
});

test('a file that is there stays when the one that was to replace it is damaged', async () => {
  const source = join(dir, 'source');
  mkdirSync(source);
  writeFileSync(join(source, 'file'), Buffer.concat([Buffer.alloc(1024 * 1024, 'x'), Buffer.from('tail')]));
  const root = await blocks.importTree(source);
  blocks.drop(blocks.put(Buffer.from('tail')));
  mkdirSync(join(dir, 'out'));
  writeFileSync(join(dir, 'out/file'), 'the only good copy');
  assert.equal((await restore(root, { overwrite: true })).problems.damaged, 1);
  assert.deepEqual(readdirSync(join(dir, 'out')), ['file']);
  assert.equal(readFileSync(join(dir, 'out/file'), 'utf8'), 'the only good copy');
});

test('an OUT that disappears stops it, and is not made again', async () => {
  const root = treeOf(Object.fromEntries(Array.from({ length: 50 }, (_, i) => [`${i}`, file(`${i}`)])));
  let reads = 0;
  const vanishing: GetOptions['blocks'] = {
    read: async (digest) => {
      if (++reads === 10) rmSync(join(dir, 'out'), { recursive: true });
      return blocks.read(digest);
    },
  };
  await assert.rejects(restore(root, { blocks: vanishing }), { code: 'IO', message: /ENOENT/ });
  assert.ok(reads < 12);
  assert.equal(existsSync(join(dir, 'out')), false);
});

test('a place that fails as a whole is no matter of one entry', () => {
  for (const code of ['ENOSPC', 'EDQUOT', 'EROFS', 'EIO', 'EMFILE']) {
    const error = Object.assign(new Error(code), { code });
    assert.throws(
      () =>
        new RestoreReport(
          (event) => events.push(event),
          () => true,
        ).note('x', error),
      error,
    );
  }
  assert.deepEqual(events, []);
});
