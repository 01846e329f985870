import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import { linuxCalls } from '../../core/libc.ts';
import { type ByteString, type CidProfile, DIRECTORY } from '../../core/model.ts';
import { toBytes } from '../../core/path-bytes.ts';
import { cidText, sha256 } from '../../dag/cid.ts';
import { profileOf } from '../../dag/cid-profile.ts';
import { SectionCursor } from '../../shard/car.ts';
import { openSource } from '../../source/source.ts';
import { sampled } from '../../testing/depth.ts';
import { treeRoot } from '../../testing/tree-root.ts';
import { SAME } from '../../walk/directory.ts';
import type { WalkStep } from '../../walk/walk-step.ts';
import { compileFilter } from '../scan/filter.ts';
import { walk } from '../scan/walk.ts';
import { entryPath } from './context.ts';
import { importEntries } from './import.ts';
import { ImportPool } from './pool.ts';

const PROFILES = [
  profileOf('unixfs-v1-2025', 'size-500'),
  profileOf('unixfs-v0-2015', 'size-500'),
  profileOf('unixfs-v1-2025', 'rabin-64-128-256'),
  profileOf('unixfs-v1-2025'),
];

interface Made {
  /** By path: the CID of each file and symlink, and the size of its DAG. */
  readonly roots: ReadonlyMap<ByteString, string>;
  /** Digests in the order in which they came. */
  readonly blocks: readonly string[];
}

async function imported(source: ByteString, profile: CidProfile, metadata: boolean, workers: number, except?: ByteString): Promise<Made> {
  const opened = openSource(source, linuxCalls());
  const pool = new ImportPool(workers, { source: opened.handle, profile, metadata, ignoreInode: false }, opened.reach);
  const { signal } = new AbortController();
  const roots = new Map<ByteString, string>();
  const blocks: string[] = [];
  /** Where each block ended, in the batch that it came with; in an earlier one, at 0. */
  const ends = new Map<string, number>();
  const entered: unknown[] = [];
  function* steps(): Generator<WalkStep, void, void> {
    for (const step of walk(opened, { filter: compileFilter([]), emit: assert.fail as never, signal })) {
      if (step.kind === 'enter') {
        const { directory } = step;
        for (let i = 0; i < directory.count; i++) if (entryPath(directory, i) === except) directory.states[i] = SAME;
      }
      yield step;
    }
  }
  const readNode = () => Promise.reject(new Error('nothing is made from an old node'));
  const context = {
    reach: opened.reach,
    profile,
    metadata,
    ignoreInode: false,
    pool,
    base: undefined,
    readNode,
    emit: assert.fail as never,
    signal,
  };
  try {
    for await (const step of importEntries(steps(), context)) {
      if (step.kind === 'enter') entered.push(step.directory);
      if (step.kind === 'blocks') {
        const { batch, finished } = step;
        for (const cursor = new SectionCursor(batch); cursor.next(); ) {
          const digest = batch.toString('hex', cursor.digestAt, cursor.digestAt + 32);
          assert.equal(Buffer.from(sha256(batch.subarray(cursor.dataAt, cursor.end))).toString('hex'), digest);
          blocks.push(digest);
          if (!ends.has(digest)) ends.set(digest, cursor.end);
        }
        // A file is finished where the last of its blocks ends, its root.
        for (const [at, directory] of (finished?.directories ?? []).entries()) {
          const { digest } = directory.rootOf(finished?.indexes[at] as number);
          const end = ends.get(Buffer.from(digest).toString('hex')) as number;
          assert.ok(end <= (finished?.ends[at] as number), entryPath(directory, finished?.indexes[at] as number));
        }
        for (const digest of ends.keys()) ends.set(digest, 0);
        step.release();
      }
      if (step.kind !== 'filled') continue;
      const { directory } = step;
      assert.ok(entered.includes(directory), 'a directory is entered before it is filled');
      for (let i = 0; i < directory.count; i++) {
        if (directory.kinds[i] === DIRECTORY || directory.states[i] === SAME) continue;
        const root = directory.rootOf(i);
        roots.set(entryPath(directory, i), `${cidText(root, 1)} ${root.dagSize}`);
      }
    }
  } finally {
    await pool.close();
    opened.close();
  }
  return { roots, blocks };
}

/** The same file by file. */
async function expected(source: ByteString, paths: readonly ByteString[], profile: CidProfile, metadata: boolean): Promise<Made> {
  const roots = new Map<ByteString, string>();
  const blocks: string[] = [];
  const emit = (block: Buffer) => {
    const digest = sha256(block);
    blocks.push(Buffer.from(digest).toString('hex'));
    return digest;
  };
  for (const path of paths) {
    const root = await treeRoot(`${source}/${path}`, { profile, metadata, emit });
    roots.set(path, `${cidText(root, 1)} ${root.dagSize}`);
  }
  return { roots, blocks };
}

/** Sizes about those of one chunk, of several, of as many as a node has links, of none. */
const files = fc.array(
  fc.record({
    dir: fc.constantFrom('', 'a', 'a/b', 'a-b', 'c'),
    size: fc.oneof(fc.constantFrom(0, 1, 499, 500, 501, 1000, 1001), fc.nat(3000), fc.constantFrom(90_000, 600_000)),
    fill: fc.nat(3),
    isLink: fc.boolean(),
  }),
  { maxLength: 25 },
);

const sorted = (map: ReadonlyMap<string, string>) => [...map].sort(([a], [b]) => (a < b ? -1 : 1));

test('each file and symlink gets the CID that it has by itself, all of its blocks come and no others, whoever works on them', async () => {
  let run = 0;
  const dir = mkdtempSync(join(tmpdir(), 'shardctl-import-'));
  await fc.assert(
    fc.asyncProperty(files, fc.constantFrom(...PROFILES), fc.boolean(), async (all, profile, metadata) => {
      const source = join(dir, `${run++}`);
      mkdirSync(source);
      const paths: string[] = [];
      for (const [i, { dir: below, size, fill, isLink }] of all.entries()) {
        mkdirSync(join(source, below), { recursive: true });
        const path = join(below, `f${i}`);
        paths.push(path);
        if (isLink && size < 3000) symlinkSync('x'.repeat(1 + size), join(source, path));
        // Some repeat themselves, and one another.
        else
          writeFileSync(
            join(source, path),
            fill === 0 ? Buffer.alloc(size) : Buffer.from(Array.from({ length: size }, (_, at) => (at * fill * 7 + (at >> 8)) & 0xff)),
          );
      }
      const right = await expected(toBytes(source), paths, profile, metadata);
      const one = await imported(toBytes(source), profile, metadata, 1);
      assert.deepEqual(sorted(one.roots), sorted(right.roots));
      assert.deepEqual(new Set(one.blocks), new Set(right.blocks));
      assert.deepEqual(await imported(toBytes(source), profile, metadata, 2), one);
      rmSync(source, { recursive: true });
    }),
    { numRuns: sampled(8, 25) },
  );
  rmSync(dir, { recursive: true });
});

test('more small files than a task takes, over many directories, come in walk order', async () => {
  const source = mkdtempSync(join(tmpdir(), 'shardctl-import-'));
  const paths: string[] = [];
  for (let i = 0; i < 700; i++) {
    const below = `d${String(i % 150).padStart(3, '0')}`;
    mkdirSync(join(source, below), { recursive: true });
    paths.push(`${below}/${String(i).padStart(3, '0')}`);
    writeFileSync(join(source, paths.at(-1) as string), `file ${i}`);
  }
  const profile = profileOf('unixfs-v1-2025');
  const { roots, blocks } = await imported(toBytes(source), profile, false, 2);
  const right = await expected(toBytes(source), paths.sort(), profile, false);
  rmSync(source, { recursive: true });
  assert.deepEqual(sorted(roots), sorted(right.roots));
  assert.deepEqual(blocks, right.blocks);
});

test('what is the same as before is not read', async () => {
  const source = mkdtempSync(join(tmpdir(), 'shardctl-import-'));
  for (const name of ['old', 'new']) writeFileSync(join(source, name), name);
  const { roots, blocks } = await imported(toBytes(source), profileOf('unixfs-v1-2025'), true, 1, 'old');
  rmSync(source, { recursive: true });
  assert.deepEqual([...roots.keys()], ['new']);
  assert.equal(blocks.length, 2);
});
