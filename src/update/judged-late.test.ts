/** What a gate could not unpack when it let a tree through is judged once the program is there, and told. */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import type { GateOrder } from '../core/gate.ts';
import { beginEach } from '../testing/each.ts';
import { FakeGate, NOTHING_FOUND } from '../testing/fake-gate.ts';
import type { TestHome } from '../testing/run.ts';
import { writeTree } from '../testing/tree.ts';

let dir: string;
let home: TestHome;
beginEach((its, itsHome) => {
  dir = its;
  home = itsHome;
});

const LACKING = { ...NOTHING_FOUND, kinds: ['debian'] as const, lacking: [{ program: 'xz', indexes: 1 }] };

/** A machine without `xz`. @param found what the judges say there */
const without = (found = LACKING): GateOrder => ({ ...new FakeGate().order(), judge: async () => found });

/** The same machine with it; what the head misses, too, is set apart as the judges do it. */
const having = (): GateOrder => {
  const order = new FakeGate().order();
  return {
    ...order,
    has: async () => true,
    judge: async (tree, signal) => {
      const verdict = await order.judge(tree, signal);
      const isNew = await Promise.all(verdict.contradictions.map(async ({ path }) => !(await namedBy(tree.head, path))));
      const contradictions = verdict.contradictions.filter((_, at) => isNew[at]);
      return { ...verdict, contradictions, count: contradictions.length, asBefore: verdict.count - contradictions.length };
    },
  };
};

async function namedBy(tree: Parameters<GateOrder['judge']>[0]['head'], path: string): Promise<boolean> {
  const index = await tree?.entry('index');
  if (tree === undefined || index === undefined) return false;
  const read: Uint8Array[] = [];
  for await (const bytes of tree.bytes(index)) read.push(bytes);
  return Buffer.concat(read).toString().split('\n').includes(path);
}

/** What is said of the tree of a run: the outcome, then what is told. */
async function said(gate: GateOrder): Promise<readonly string[]> {
  const { summary, events } = await home.add(dir, { gate });
  const told = events.flatMap((event) => (event.type === 'contradiction' ? [event.path] : event.type === 'warning' ? ['warning'] : []));
  return [`${summary.gate?.outcome}${summary.gate?.lacking === undefined ? '' : ` without ${summary.gate.lacking}`}`, ...told];
}

test('what was let through without a program is judged by the next run that has it, where nothing has changed; it stays the head', async () => {
  writeTree(dir, { index: 'gone\n', a: '1' });
  assert.deepEqual(await said(without()), ['passed without xz', 'warning']);
  assert.deepEqual(await said(without()), ['passed without xz']);
  assert.deepEqual(await said(having()), ['warned', 'gone']);
  assert.deepEqual(await said(having()), ['warned']);
  writeFileSync(join(dir, 'a'), '22');
  assert.deepEqual(await said(having()), ['accepted']);
});

test('of a changed tree it is told, too, and holds nothing back, because readers have it; what is new does', async () => {
  writeTree(dir, { index: 'gone\n', a: '1' });
  await said(without());
  writeFileSync(join(dir, 'a'), '22');
  assert.deepEqual(await said(having()), ['warned', 'gone']);
  writeFileSync(join(dir, 'index'), 'gone\nlost\n');
  assert.deepEqual(await said(having()), ['held', 'lost']);
});

test('beside something new it is told with that, and held back', async () => {
  writeTree(dir, { index: 'gone\n', a: '1' });
  await said(without());
  writeFileSync(join(dir, 'index'), 'gone\nlost\n');
  assert.deepEqual(await said(having()), ['held', 'gone', 'lost']);
});

test('an index that has not changed is not asked for again, and is still not judged', async () => {
  writeTree(dir, { index: 'gone\n', a: '1' });
  await said(without());
  writeFileSync(join(dir, 'a'), '22');
  assert.deepEqual(await said(without({ ...LACKING, lacking: [] })), ['passed without xz']);
  writeFileSync(join(dir, 'a'), '333');
  assert.deepEqual(await said(having()), ['warned', 'gone']);
});

test('what only warned without a program names what it finds with it', async () => {
  writeTree(dir, { index: 'gone\n', a: '1' });
  const some = { kind: 'debian', what: 'missing', index: 'other', path: 'p', detail: 'is missing' } as const;
  await said({ ...without({ ...LACKING, count: 1, contradictions: [some] } as never), action: 'warn' });
  assert.deepEqual(await said({ ...having(), action: 'warn' }), ['warned', 'gone']);
});
