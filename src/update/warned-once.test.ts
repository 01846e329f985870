/** What the gate warns of is told once, not by each run that finds the same. */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import type { GateOrder } from '../core/gate.ts';
import { beginEach } from '../testing/each.ts';
import { FakeGate } from '../testing/fake-gate.ts';
import type { TestHome } from '../testing/run.ts';
import { writeTree } from '../testing/tree.ts';

let dir: string;
let home: TestHome;
beginEach((its, itsHome) => {
  dir = its;
  home = itsHome;
});

const gate = new FakeGate();

/** What a run says of its gate: problems of a tree, and what was not judged. */
async function said(order: GateOrder): Promise<readonly string[]> {
  const { events } = await home.add(dir, { gate: order });
  return events.flatMap((event) => {
    if (event.type === 'contradiction') return [event.path];
    if (event.type === 'gate') return [`${event.outcome}, ${event.told} told`];
    return event.type === 'warning' ? [event.message] : [];
  });
}

test('a gate that warns tells of the same once, of a changed tree in one line, and of an unchanged one nothing', async () => {
  writeTree(dir, { index: 'gone\n', a: '1' });
  assert.deepEqual(await said(gate.order('warn')), ['gone', 'warned, 1 told']);
  assert.deepEqual(await said(gate.order('warn')), []);
  writeFileSync(join(dir, 'a'), '22');
  assert.deepEqual(await said(gate.order('warn')), ['warned, 0 told']);
  assert.deepEqual(await said(gate.order('warn')), []);
  writeFileSync(join(dir, 'index'), 'gone\nlost\n');
  assert.deepEqual(await said(gate.order('warn')), ['gone', 'lost', 'warned, 2 told']);
});

test('indexes that cannot be unpacked are told of once, and again when they are others', async () => {
  const without = (program: string): GateOrder => ({
    ...gate.order(),
    judge: async (tree, signal) => ({ ...(await gate.order().judge(tree, signal)), lacking: [{ program, indexes: 3 }] }),
  });
  writeTree(dir, { index: 'a\n', a: '1' });
  const about = (program: string) =>
    `the gate could not judge 3 indexes of test: 3 that \`${program}\` unpacks; what they say is not compared`;
  assert.deepEqual(await said(without('xz')), [about('xz')]);
  writeFileSync(join(dir, 'a'), '22');
  assert.deepEqual(await said(without('xz')), []);
  writeFileSync(join(dir, 'a'), '333');
  assert.deepEqual(await said(without('zstd')), [about('zstd')]);
});
