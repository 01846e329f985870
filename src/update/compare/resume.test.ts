import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type ByteString, FILE, RAW } from '../../core/model.ts';
import { joinBytes, keyOf } from '../../core/path-bytes.ts';
import type { PendingRecord } from '../../index/pending/reader.ts';
import { digestOf, type ModelTree, namesIn, plannedEntries, treeOf, walkOf } from '../../testing/model-tree.ts';
import { CID_COLUMN_BYTES, NEW, SAME } from '../../walk/directory.ts';
import type { WalkStep } from '../../walk/walk-step.ts';
import { resume } from './resume.ts';

const options = { ignoreCtime: false, ignoreInode: false, checksum: false, metadata: true };

/** What an interrupted run noted of the files of a tree: a record for each directory that has some, in walk order. */
function* pendingOf(tree: ModelTree, run: string): Generator<PendingRecord, void, void> {
  const directories = new Set([...tree.keys()].map((path) => path.slice(0, Math.max(0, path.lastIndexOf('/')))));
  for (const path of [...directories].sort((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1))) {
    const files = namesIn(tree, path).flatMap((name) => {
      const entry = tree.get(joinBytes(path, name));
      return entry?.kind === FILE ? [{ name, entry }] : [];
    });
    if (files.length === 0) continue;
    const cids = Buffer.alloc(files.length * CID_COLUMN_BYTES);
    for (const [j, { name }] of files.entries()) {
      cids[j * CID_COLUMN_BYTES] = RAW;
      digestOf(`${run} ${joinBytes(path, name)}`).copy(cids, j * CID_COLUMN_BYTES + 1);
    }
    yield {
      path,
      names: files.map(({ name }) => name),
      kinds: Uint8Array.from(files, ({ entry }) => entry.kind),
      modes: Uint16Array.from(files, ({ entry }) => entry.mode),
      sizes: Float64Array.from(files, ({ entry }) => entry.size),
      mtimes: BigInt64Array.from(files, ({ entry }) => entry.mtimeNs),
      ctimes: BigInt64Array.from(files, ({ entry }) => entry.ctimeNs),
      inodes: BigUint64Array.from(files, ({ entry }) => entry.inode),
      cids,
      dagSizes: Float64Array.from(files, ({ entry }) => entry.size),
    };
  }
}

/** Digests that files got, by path, and of which runs something was taken. */
function resumed(steps: Iterable<WalkStep>, runs: readonly ModelTree[]) {
  const digests = new Map<ByteString, string>();
  const told = runs.map(() => false);
  const sources = runs.map((tree, n) => ({ records: pendingOf(tree, `${n}`), onTaken: () => void told.splice(n, 1, true) }));
  for (const step of resume(steps, sources, options)) {
    if (step.kind !== 'enter') continue;
    const { directory } = step;
    for (const [i, name] of directory.names.entries())
      if (directory.isResumed(i)) digests.set(joinBytes(directory.path, name), Buffer.from(directory.rootOf(i).digest).toString('hex'));
  }
  return { digests, told };
}

/** The same by a lookup of each file in each run, the latest first. */
function expected(tree: ModelTree, runs: readonly ModelTree[]) {
  const digests = new Map<ByteString, string>();
  const told = runs.map(() => false);
  for (const [path, now] of tree) {
    if (now.kind !== FILE || now.fails !== undefined) continue;
    const n = runs.findIndex((run) => {
      const old = run.get(path);
      return (
        old?.kind === FILE &&
        old.mode === now.mode &&
        old.size === now.size &&
        old.mtimeNs === now.mtimeNs &&
        old.ctimeNs === now.ctimeNs &&
        old.inode === now.inode
      );
    });
    if (n < 0) continue;
    told[n] = true;
    digests.set(path, digestOf(`${n} ${path}`).toString('hex'));
  }
  return { digests, told };
}

const sorted = (map: ReadonlyMap<string, string>) => [...map].sort(([a], [b]) => (a < b ? -1 : 1));

test('a file takes the CID that the latest interrupted run noted under its path and stat data, as by lookup', () => {
  const trees = fc.record({ both: plannedEntries, now: plannedEntries, first: plannedEntries, second: plannedEntries });
  let taken = 0;
  fc.assert(
    fc.property(trees, ({ both, now, first, second }) => {
      const tree = treeOf([...now, ...both]);
      const runs = [treeOf([...first, ...both]), treeOf([...second, ...both])];
      const is = resumed(walkOf(tree), runs);
      const right = expected(tree, runs);
      assert.deepEqual(sorted(is.digests), sorted(right.digests));
      assert.deepEqual(is.told, right.told);
      taken += is.digests.size;
    }),
    { numRuns: 200 },
  );
  assert.ok(taken > 0, 'no file was ever resumed: the trees have nothing in common');
});

test('a file that is as in the parent takes nothing, also where another in its directory does', () => {
  const entry = { kind: FILE, mode: 0o644, size: 1, mtimeNs: 1n, ctimeNs: 1n, inode: 1n } as const;
  const tree: ModelTree = new Map([
    ['a', entry],
    ['b', entry],
  ]);
  function* compared(states: readonly number[]): Generator<WalkStep, void, void> {
    for (const step of walkOf(tree)) {
      if (step.kind === 'enter') step.directory.states.set(states);
      yield step;
    }
  }
  const { digests, told } = resumed(compared([SAME, NEW]), [tree]);
  assert.deepEqual([[...digests.keys()], told], [['b'], [true]]);
  assert.deepEqual(resumed(compared([SAME, SAME]), [tree]), { digests: new Map(), told: [false] });
});
