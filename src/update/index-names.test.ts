import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import type { SnapshotRecord } from '../core/model.ts';
import { sampled } from '../testing/depth.ts';
import { beginEach } from '../testing/each.ts';
import { FakeGate } from '../testing/fake-gate.ts';
import { type RunOptions, TestHome } from '../testing/run.ts';
import { applyEdit, killedRun, sourceEdit } from '../testing/source-edits.ts';
import { writeTree } from '../testing/tree.ts';
import { ToldPaths } from './told/told-paths.ts';

let dir: string;
let home: TestHome;
let gate: FakeGate;
beginEach((its, itsHome) => {
  dir = its;
  home = itsHome;
  gate = new FakeGate();
});

async function newest(of: TestHome): Promise<SnapshotRecord | undefined> {
  const index = await of.index();
  try {
    return index.snapshots('test').at(-1);
  } finally {
    await index.close();
  }
}

const run = (options: RunOptions = {}) => home.add(dir, { gate: gate.order(), ...options });
const noted = async () => (await newest(home))?.gate;

test('a tree in which nothing has the name of an index passes, and is not judged, from the first run on', async () => {
  writeTree(dir, { a: '1', b: { c: '2' } });
  await run();
  writeFileSync(join(dir, 'a'), '22');
  mkdirSync(join(dir, 'd'));
  const second = await run();
  assert.deepEqual(second.summary.gate, { outcome: 'passed', kinds: [], count: 0 });
  assert.deepEqual([gate.asked.length, (await noted())?.hasIndexNames], [0, false]);
});

test('it is judged as soon as something of such a name comes: in a directory that comes, or as a symlink or a directory itself', async () => {
  const arrivals = [
    () => {
      mkdirSync(join(dir, 'new', 'deep'), { recursive: true });
      writeFileSync(join(dir, 'new', 'deep', 'index'), '');
    },
    () => mkdirSync(join(dir, 'index')),
    () => symlinkSync('a', join(dir, 'b', 'index')),
    () => renameSync(join(dir, 'a'), join(dir, 'b', 'index')),
  ];
  for (const [round, arrive] of arrivals.entries()) {
    rmSync(dir, { recursive: true, force: true });
    writeTree(dir, { a: '', b: { c: `${round}` } });
    await home.add(dir, { gate: gate.order('hold', `${round}`) });
    assert.equal((await noted())?.hasIndexNames, false);
    arrive();
    await home.add(dir, { gate: gate.order('hold', `${round}`) });
    assert.deepEqual([gate.asked.length, (await noted())?.hasIndexNames], [round + 1, true]);
  }
});

test('kinds that are asked for by name are missed in such a tree', async () => {
  writeTree(dir, { a: '1' });
  await run({ gate: { ...gate.order(), isByName: true } });
  assert.deepEqual([gate.asked.length, (await noted())?.hasIndexNames], [1, false]);
});

const step = fc.record({
  edits: fc.array(sourceEdit, { maxLength: 4 }),
  how: fc.constantFrom('all', 'all', 'told', 'told', 'checksum', 'ungated', 'killed', 'other gate'),
});

test('whatever happens, the note of each snapshot says what a look at all names says, and what has such a name is judged', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 2, maxLength: 6 }), async (steps) => {
      const its = await TestHome.create();
      const source = join(its.dir, 'source');
      mkdirSync(source);
      try {
        for (const { edits, how } of steps) {
          const told = new ToldPaths();
          for (const one of edits) for (const changed of applyEdit(source, one)) told.tell(changed, true);
          const before = (await newest(its))?.number;
          const judged = gate.asked.length;
          const order = how === 'other gate' ? gate.order('warn', `other ${judged}`) : gate.order('warn');
          const options: RunOptions = {
            gate: how === 'ungated' ? undefined : order,
            ...(how === 'told' ? { told } : {}),
            trust: { ignoreCtime: false, ignoreInode: false, checksum: how === 'checksum' },
          };
          if (how === 'killed') await killedRun(its, source, options);
          await its.add(source, options);
          const snapshot = await newest(its);
          if (snapshot?.number === before || how === 'ungated') continue;
          const expected = namesIn(source).includes('index');
          // What had such a name is judged on when it is gone; the other way round nothing may be missed.
          if (expected) assert.equal(snapshot?.gate?.hasIndexNames, true);
          assert.equal(gate.asked.length > judged, snapshot?.gate?.hasIndexNames);
        }
      } finally {
        its.remove();
      }
    }),
    { numRuns: sampled(12, 200) },
  );
});

function namesIn(directory: string): string[] {
  return readdirSync(directory, { withFileTypes: true }).flatMap((entry) => [
    entry.name,
    ...(entry.isDirectory() ? namesIn(join(directory, entry.name)) : []),
  ]);
}
