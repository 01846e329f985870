import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import fc from 'fast-check';
import { type ByteString, DIRECTORY, FILE } from '../../core/model.ts';
import { joinBytes, keyOf } from '../../core/path-bytes.ts';
import { entriesOf, type ModelTree, namesIn, plannedEntries, treeOf } from '../../testing/model-tree.ts';
import { Recall } from './recall.ts';
import type { Sweep } from './sweep.ts';
import { AS_IT_WAS, TO_LIST, TOUCHED, type Touched } from './sweep-block.ts';

let dir: string;
before(() => {
  dir = mkdtempSync(join(tmpdir(), 'shardctl-recall-'));
});
after(() => rmSync(dir, { recursive: true }));

/** In walk order, the root first. */
function directoriesIn(tree: ModelTree): ByteString[] {
  const below = [...tree].filter(([, { kind }]) => kind === DIRECTORY).map(([path]) => path);
  return ['', ...below.sort((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1))];
}

const isBelow = (path: ByteString, top: ByteString) => path.startsWith(keyOf(top));

function countsOf(tree: ModelTree, top: ByteString) {
  const below = [...tree].filter(([path]) => isBelow(path, top) && path !== top).map(([, entry]) => entry);
  const files = below.filter(({ kind }) => kind === FILE);
  const directories = below.filter(({ kind }) => kind === DIRECTORY).length;
  const bytes = files.reduce((sum, { size }) => sum + size, 0);
  return { files: files.length, directories, symlinks: below.length - files.length - directories, bytes };
}

/** New sizes of the first and the last entry. */
function touchedOf(count: number): Touched {
  const indexes = Uint32Array.from(count > 1 ? [0, count - 1] : [0]);
  const n = indexes.length;
  const columns = { mtimes: new BigInt64Array(n), ctimes: new BigInt64Array(n), inodes: new BigUint64Array(n) };
  return { record: 0, indexes, modes: new Uint16Array(n), sizes: new Float64Array(n).fill(99), ...columns };
}

const verdicts = fc.array(fc.constantFrom(AS_IT_WAS, AS_IT_WAS, AS_IT_WAS, TOUCHED, TO_LIST), { minLength: 101, maxLength: 101 });

test('what the sweep found is recalled: whole subtrees in which nothing differs, single directories with what was touched, and no others', () => {
  const law = fc.property(plannedEntries, plannedEntries, verdicts, fc.nat(5), (both, alone, said, knownFirst) => {
    const parent = treeOf([...both, ...alone]);
    const now = treeOf(both);
    const known = directoriesIn(parent);
    const touched = new Map<number, Touched>();
    const verdictOf = (at: number) => {
      const verdict = said[at] as number;
      // Of an empty directory nothing can be touched.
      return verdict === TOUCHED && namesIn(parent, known[at] as string).length === 0 ? AS_IT_WAS : verdict;
    };
    for (const [at, path] of known.entries()) if (verdictOf(at) === TOUCHED) touched.set(at, touchedOf(namesIn(parent, path).length));
    let swept = knownFirst;
    const sweep = {
      directories: known.length,
      knows: (ordinal: number) => ordinal < swept,
      depth: (ordinal: number) => (known[ordinal] === '' ? 0 : (known[ordinal] as string).split('/').length),
      verdict: verdictOf,
      touched: (ordinal: number) => touched.get(ordinal),
    } as unknown as Sweep;
    const entries = entriesOf(parent, join(dir, 'parent'));
    const recall = new Recall(entries, sweep);
    let passed: ByteString | undefined;
    for (const path of directoriesIn(now)) {
      if (passed !== undefined && isBelow(path, passed)) continue;
      passed = undefined;
      while (!recall.isReady(path)) swept++;
      const ordinal = known.indexOf(path);
      const subtree = known.map((it, at) => ({ it, at })).filter(({ it }) => it === path || isBelow(it, path));
      const isSame = ordinal >= 0 && subtree.every(({ at }) => verdictOf(at) === AS_IT_WAS);
      const same = recall.same(path);
      assert.deepEqual(same, isSame ? { ordinal, length: subtree.length, ...countsOf(parent, path) } : undefined, path);
      if (isSame) {
        passed = path;
        continue;
      }
      const found = recall.directory(path, undefined, -1);
      assert.equal(found !== undefined, ordinal >= 0 && verdictOf(ordinal) !== TO_LIST, path);
      if (found === undefined) continue;
      const names = namesIn(parent, path);
      assert.deepEqual([found.directory.path, [...found.directory.names]], [path, names]);
      const news = touched.get(ordinal)?.indexes ?? [];
      assert.deepEqual([...found.touched], [...news]);
      const sizes = names.map((name, i) => ([...news].includes(i) ? 99 : (parent.get(joinBytes(path, name))?.size as number)));
      assert.deepEqual([...found.directory.sizes], sizes, path);
    }
    entries.close();
  });
  fc.assert(law, { numRuns: 150 });
});
