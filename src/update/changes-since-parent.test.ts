import assert from 'node:assert/strict';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import type { PathChange } from '../core/gate.ts';
import { parseCid } from '../dag/cid.ts';
import { placedBlocks } from '../read/blocks/placed-blocks.ts';
import { treeToJudge } from '../read/tree/stored-tree.ts';
import { sampled } from '../testing/depth.ts';
import { FakeGate } from '../testing/fake-gate.ts';
import { type RunOptions, TestHome } from '../testing/run.ts';
import { applyEdit, killedRun, sourceEdit } from '../testing/source-edits.ts';
import { ToldPaths } from './told/told-paths.ts';

const step = fc.record({
  edits: fc.array(sourceEdit, { maxLength: 5 }),
  how: fc.constantFrom('all', 'all', 'told', 'told', 'checksum', 'killed', 'ungated'),
});

/** What differs between the last two trees that were committed, as their blocks say. */
async function compared(of: TestHome): Promise<{ passed: number; number: number; changes: readonly PathChange[] }> {
  const index = await of.index();
  const blocks = placedBlocks(index, of.peers);
  try {
    const all = index.snapshots('test');
    const newest = all.at(-1);
    const passed = all.slice(0, -1).findLast(({ gate }) => gate?.outcome === 'passed');
    if (newest === undefined || passed === undefined) return { passed: 0, number: newest?.number ?? 0, changes: [] };
    const { signal } = new AbortController();
    const tree = treeToJudge({ root: parseCid(newest.tree), passed: parseCid(passed.tree), blocks, signal });
    const changes: PathChange[] = [];
    for await (const change of tree.changes()) changes.push(change);
    return { passed: passed.number, number: newest.number, changes };
  } finally {
    await blocks.close();
    await index.close();
  }
}

/** Of directories only that there is a change at this place counts. The root is told by what is in it. */
function linesOf(changes: readonly PathChange[]): string[] {
  const kindOf = (kind: number | undefined) => (kind === undefined ? '-' : `${kind}`);
  return [
    ...new Set(changes.filter(({ path }) => path !== '').map(({ path, before, now }) => `${path} ${kindOf(before)} ${kindOf(now)}`)),
  ].sort();
}

for (const metadata of [true, false]) {
  test(`what the update hands over ${metadata ? '' : 'without metadata '}is what a comparison of the stored trees finds`, async () => {
    const law = fc.asyncProperty(fc.array(step, { minLength: 3, maxLength: 6 }), async (steps) => {
      const its = await TestHome.create();
      const gate = new FakeGate();
      const source = join(its.dir, 'source');
      mkdirSync(source);
      try {
        for (const { edits, how } of steps) {
          const told = new ToldPaths();
          for (const one of edits) for (const changed of applyEdit(source, one)) told.tell(changed, true);
          const before = (await compared(its)).number;
          const options: RunOptions = {
            // By name: a tree without the name of an index is judged, too.
            gate: how === 'ungated' ? undefined : { ...gate.order(), isByName: true },
            metadata,
            ...(how === 'told' ? { told } : {}),
            trust: { ignoreCtime: false, ignoreInode: false, checksum: how === 'checksum' },
          };
          if (how === 'killed') await killedRun(its, source, options);
          await its.add(source, options);
          const { passed, number, changes } = await compared(its);
          if (number === before || how === 'ungated' || passed === 0) continue;
          assert.deepEqual(linesOf(gate.asked.at(-1)?.changes ?? []), linesOf(changes));
        }
      } finally {
        its.remove();
      }
    });
    await fc.assert(law, { numRuns: sampled(8, 150) });
  });
}
