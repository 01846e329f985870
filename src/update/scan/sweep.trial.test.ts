/** What an update that first looks whether anything changed may leave unlooked at, and what it may not. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import { oneIn, sampled } from '../../testing/depth.ts';
import { beginEach, tick } from '../../testing/each.ts';
import { freshRoot, TestHome } from '../../testing/run.ts';
import { applyEdit, edit, writeTree } from '../../testing/tree.ts';
import { SecondThread } from './second-thread.ts';

const sample = oneIn(3);

let dir: string;
let home: TestHome;
beginEach((its, itsHome) => {
  dir = its;
  home = itsHome;
});

const manyNames = (count: number) => Object.fromEntries(Array.from({ length: count }, (_, i) => [`${i}-${'y'.repeat(150)}`, `${i}`]));

/** Everything in a directory, with what would show that it was written to. */
function stateOf(path: string): string[] {
  return readdirSync(path, { recursive: true, encoding: 'utf8' })
    .sort()
    .map((name) => {
      const { ino, size, mtimeNs, ctimeNs } = statSync(join(path, name), { bigint: true });
      return [name, ino, size, mtimeNs, ctimeNs].join(' ');
    });
}

test('an update that finds nothing changed writes nothing into the home', { skip: sample() }, async () => {
  writeTree(dir, { a: 'one', b: { c: 'two', d: { e: 'three' } }, link: { link: 'a' } });
  await tick();
  const first = await home.add(dir);
  const before = stateOf(home.dir);
  const { summary } = await home.add(dir);
  assert.deepEqual(stateOf(home.dir), before);
  assert.deepEqual(
    { ...summary, seconds: 0, peers: [] },
    { ...first.summary, unchanged: true, newFiles: 0, changedEntries: 0, newBlocks: 0, newBytes: 0, newShards: 0, seconds: 0, peers: [] },
  );
});

test('after the clock has moved on and any edits, the root of an update is the root of a fresh add, and so are its counts', {
  skip: sample(),
}, async () => {
  const anyTree = fc.array(edit, { minLength: 4, maxLength: 14 });
  const anyEdits = fc.array(edit, { minLength: 0, maxLength: 4 });
  await fc.assert(
    fc.asyncProperty(anyTree, anyEdits, anyEdits, async (tree, first, second) => {
      const source = mkdtempSync(join(tmpdir(), 'shardctl-source-'));
      const its = await TestHome.create();
      try {
        // Directories in which nothing will happen.
        writeTree(source, { still: { x: '1', deep: { y: '2', deeper: { z: '3' } } }, 'still-': { w: '4' } });
        for (const it of tree) applyEdit(source, it);
        await tick();
        await its.add(source);
        for (const edits of [first, second]) {
          for (const it of edits) applyEdit(source, it);
          await tick();
          const { summary } = await its.add(source);
          const fresh = await TestHome.create();
          const { summary: expected } = await fresh.add(source);
          fresh.remove();
          assert.equal(summary.tree, expected.tree);
          for (const count of ['files', 'directories', 'symlinks', 'bytes'] as const) assert.equal(summary[count], expected[count], count);
        }
      } finally {
        its.remove();
        rmSync(source, { recursive: true, force: true });
      }
    }),
    { numRuns: sampled(3, 15) },
  );
});

test('with so many entries that two threads look at them, each kind of change is found, wherever it is', { skip: sample() }, async () => {
  // Long names fill the blocks of the index: 24 of them, of which a second thread gets some.
  const name = (i: number) => `${String(i).padStart(6, '0')}-${'x'.repeat(200)}`;
  const directories = Array.from({ length: 50 }, (_, i) => `dir${String(i).padStart(2, '0')}`);
  for (const directory of directories) {
    mkdirSync(join(dir, directory));
    for (let i = 0; i < 200; i++) writeFileSync(join(dir, directory, name(i)), `${directory} ${i}`);
  }
  await tick();
  const { summary: before } = await home.add(dir);
  await tick();
  assert.equal((await home.add(dir)).summary.unchanged, true);
  const edits: readonly ((directory: string) => void)[] = [
    (directory) => writeFileSync(join(directory, name(7)), 'other'),
    (directory) => rmSync(join(directory, name(8))),
    (directory) => writeFileSync(join(directory, 'new'), 'new'),
    (directory) => renameSync(join(directory, name(9)), join(directory, 'renamed')),
    (directory) => chmodSync(join(directory, name(10)), 0o600),
    (directory) => utimesSync(directory, 1000, 1000),
    (directory) => rmSync(directory, { recursive: true }),
  ];
  for (const [i, change] of edits.entries()) for (const at of [i, 20 + i, 42 + i]) change(join(dir, directories[at] as string));
  await tick();
  const { summary } = await home.add(dir);
  assert.notEqual(summary.tree, before.tree);
  assert.equal(summary.tree, await freshRoot(dir));
});

test('when the second thread dies, or never comes up, the first looks at everything', { skip: sample() }, async () => {
  for (let i = 0; i < 40; i++) writeTree(dir, { [`dir${i}`]: manyNames(sampled(60, 300)) });
  await tick();
  await home.add(dir);
  await tick();
  const dead = new SecondThread();
  dead.stop();
  assert.equal((await home.add(dir, { secondThread: dead })).summary.unchanged, true);
  const dying = new SecondThread();
  setImmediate(() => dying.stop());
  assert.equal((await home.add(dir, { secondThread: dying })).summary.unchanged, true);
  writeFileSync(join(dir, 'dir7', 'new'), 'new');
  await tick();
  assert.equal((await home.add(dir, { secondThread: dead })).summary.tree, await freshRoot(dir));
});

test('what is skipped is told of by each run, also when nothing else is there to tell', { skip: sample() }, async () => {
  writeTree(dir, { a: 'one', sub: { b: 'two' } });
  assert.equal(spawnSync('mkfifo', [join(dir, 'sub', 'pipe')]).status, 0);
  await tick();
  await home.add(dir);
  const { summary } = await home.add(dir);
  assert.deepEqual([summary.unchanged, summary.problems.special], [true, 1]);
});

test('other filters are heeded, although nothing has changed', { skip: sample() }, async () => {
  writeTree(dir, { a: 'one', sub: { b: 'two', c: 'three' } });
  await tick();
  const all = await home.add(dir);
  const without = await home.add(dir, { filters: ['- c'] });
  assert.notEqual(without.summary.tree, all.summary.tree);
  assert.equal((await home.add(dir, { filters: ['- c'] })).summary.unchanged, true);
  writeFileSync(join(dir, 'sub', 'd'), 'four');
  assert.equal((await home.add(dir, { filters: ['- c'] })).summary.files, 3);
  rmSync(join(dir, 'sub', 'd'));
  assert.equal((await home.add(dir)).summary.tree, await freshRoot(dir));
});
