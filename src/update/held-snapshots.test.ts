import assert from 'node:assert/strict';
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import { ShardctlError } from '../core/errors.ts';
import type { GateOrder } from '../core/gate.ts';
import type { RepositoryRecord, SnapshotRecord } from '../core/model.ts';
import type { Verdict } from '../core/verdict.ts';
import { sampled } from '../testing/depth.ts';
import { beginEach } from '../testing/each.ts';
import { acceptIn, FakeGate, NOTHING_FOUND } from '../testing/fake-gate.ts';
import { type Ran, type RunOptions, TestHome } from '../testing/run.ts';
import { writeTree } from '../testing/tree.ts';

let dir: string;
let home: TestHome;
let gate: FakeGate;
beginEach((its, itsHome) => {
  dir = its;
  home = itsHome;
  gate = new FakeGate();
});

interface Known {
  readonly repository: RepositoryRecord | undefined;
  readonly snapshots: readonly SnapshotRecord[];
}

async function known(of: TestHome = home): Promise<Known> {
  const index = await of.index();
  try {
    return { repository: index.repository('test'), snapshots: index.snapshots('test') };
  } finally {
    await index.close();
  }
}

const run = (options: RunOptions = {}) => home.add(dir, { gate: gate.order(), ...options });
const told = ({ events }: Ran) => events.flatMap((event) => (event.type === 'gate' || event.type === 'contradiction' ? [event] : []));
const headText = () => readFileSync(join(home.dir, 'heads', 'test'), 'utf8').trim();

test('a tree that its index contradicts is committed and is not the head; one that agrees is', async () => {
  writeTree(dir, { index: 'a\n', a: 'one' });
  const first = await run();
  assert.deepEqual(first.summary.gate, { outcome: 'passed', kinds: ['debian'], count: 0 });
  assert.deepEqual(told(first), []);
  writeFileSync(join(dir, 'index'), 'a\nb\nc\n');
  const second = await run();
  assert.equal(second.summary.gate?.outcome, 'held');
  assert.deepEqual(
    told(second).map((event) => ('path' in event ? event.path : [event.outcome, event.head, event.count, event.told])),
    ['b', 'c', ['held', 1, 2, 2]],
  );
  const { repository, snapshots } = await known();
  assert.deepEqual([repository?.head, repository?.held, snapshots.length], [1, 2, 2]);
  assert.equal(headText(), first.summary.snapshot);
  for (const name of ['b', 'c']) writeFileSync(join(dir, name), name);
  const third = await run();
  assert.equal(third.summary.newFiles, 2, 'what the held snapshot has is not read again');
  assert.equal(third.summary.gate?.outcome, 'passed');
  const { repository: after } = await known();
  assert.deepEqual([after?.head, after?.held], [3, undefined]);
  assert.equal(headText(), third.summary.snapshot);
  assert.deepEqual(await home.damage(), []);
});

test('while the source stays as it is, a held snapshot stays held, nothing is judged or written, and one line says so', async () => {
  writeTree(dir, { index: 'gone\n' });
  await run();
  assert.equal((await known()).repository?.head, 0);
  assert.ok(!existsSync(join(home.dir, 'heads', 'test')));
  const cache = readFileSync(join(home.dir, 'index', 'standing.json'), 'utf8');
  const again = await run();
  assert.deepEqual([again.summary.unchanged, again.summary.gate?.outcome, gate.asked.length], [true, 'held', 1]);
  assert.deepEqual(
    told(again).map((event) => [event.type, 'told' in event ? event.told : undefined]),
    [['gate', 0]],
  );
  assert.equal(readFileSync(join(home.dir, 'index', 'standing.json'), 'utf8'), cache);
});

test('a held snapshot becomes the head by a run that asks no gate, by one that only warns, and by one that asks for what it passes', async () => {
  writeTree(dir, { index: 'gone\n', a: '1' });
  await run();
  const warned = await run({ gate: gate.order('warn') });
  assert.deepEqual([warned.summary.unchanged, warned.summary.gate?.outcome, gate.asked.length], [true, 'warned', 1]);
  assert.equal((await known()).repository?.head, 1);
  writeFileSync(join(dir, 'a'), '22');
  await run();
  assert.equal((await known()).repository?.held, 2);
  const off = await run({ gate: undefined });
  assert.equal(off.summary.gate, undefined);
  assert.deepEqual([(await known()).repository?.head, (await known()).snapshots.at(-1)?.gate], [2, undefined]);
  writeFileSync(join(dir, 'a'), '333');
  await run();
  const judged = gate.asked.length;
  await run({
    gate: {
      ...gate.order('hold', 'other'),
      judge: async () => NOTHING_FOUND,
    },
  });
  assert.equal(gate.asked.length, judged);
  assert.equal((await known()).repository?.head, 3);
  assert.equal(headText(), (await known()).snapshots.at(-1)?.cid);
});

test('a judge is given the last tree that the same gate passed, and what has changed since', async () => {
  writeTree(dir, { index: 'a\n', a: '1', dir: { x: 'x' } });
  await run();
  writeFileSync(join(dir, 'index'), 'a\nb\n');
  await run();
  writeFileSync(join(dir, 'dir', 'x'), 'y');
  rmSync(join(dir, 'a'));
  await run();
  assert.deepEqual(
    gate.asked.map(({ hadPassed }) => hadPassed),
    [false, true, true],
  );
  assert.deepEqual(new Set(gate.asked[2]?.changed), new Set(['', 'a', 'dir', 'dir/x', 'index']));
  writeFileSync(join(dir, 'dir', 'x'), 'zz');
  await run({ gate: gate.order('hold', 'other') });
  assert.equal(gate.asked[3]?.hadPassed, false);
});

test('what was accepted is accepted until something is added to it', async () => {
  writeTree(dir, { index: 'gone\n', a: '1' });
  await run();
  await acceptIn(home, 1);
  assert.deepEqual([(await known()).repository?.head, (await known()).snapshots[0]?.gate?.outcome], [1, 'accepted']);
  assert.equal(headText(), (await known()).snapshots[0]?.cid);
  writeFileSync(join(dir, 'a'), '22');
  const second = await run();
  assert.deepEqual([second.summary.gate?.outcome, told(second)], ['accepted', []]);
  writeFileSync(join(dir, 'index'), 'gone\nlost\n');
  const third = await run();
  assert.equal(third.summary.gate?.outcome, 'held');
  assert.deepEqual([(await known()).repository?.head, (await known()).repository?.held], [2, 3]);
});

test('what the head has too does not hold the next tree, and is not passed either: it is told as a count', async () => {
  writeTree(dir, { index: 'gone\n', a: '1' });
  await run({ gate: undefined });
  writeFileSync(join(dir, 'a'), '22');
  const verdict: Verdict = { ...NOTHING_FOUND, kinds: ['debian'], read: { indexes: 1, entries: 1, hashedBytes: 0 } };
  const heads: boolean[] = [];
  const old: GateOrder = {
    ...gate.order(),
    judge: async ({ head }) => {
      heads.push((await head?.entry('a')) !== undefined);
      return { ...verdict, asBefore: 1 };
    },
  };
  const second = await run({ gate: old });
  assert.deepEqual(second.summary.gate, { outcome: 'accepted', kinds: ['debian'], count: 0, asBefore: 1 });
  assert.deepEqual([told(second), heads, (await known()).repository?.head], [[], [true], 2]);
  writeFileSync(join(dir, 'a'), '333');
  await run();
  assert.equal(gate.asked[0]?.hadPassed, false);
});

test('what could not be judged for want of a program is told, does not hold, and is judged again when the program is there', async () => {
  const without = (hasNow: boolean): GateOrder => ({
    ...gate.order(),
    judge: async (tree, signal) => ({ ...(await gate.order().judge(tree, signal)), lacking: [{ program: 'xz', indexes: 3 }] }),
    has: async () => hasNow,
  });
  const warnings = ({ events }: Ran) => events.flatMap((event) => (event.type === 'warning' ? [event.message] : []));
  writeTree(dir, { index: 'a\n', a: '1' });
  const first = await run({ gate: without(false) });
  assert.equal(first.summary.gate?.outcome, 'passed');
  assert.deepEqual(warnings(first), ['the gate could not judge 3 indexes of test: 3 that `xz` unpacks; what they say is not compared']);
  for (const hasNow of [false, true]) {
    writeFileSync(join(dir, 'a'), `it is there: ${hasNow}`);
    await run({ gate: without(hasNow) });
  }
  assert.deepEqual(
    gate.asked.map(({ hadPassed }) => hadPassed),
    [false, true, false],
  );
});

test('what is the head already is accepted without a change, and what is older cannot be', async () => {
  writeTree(dir, { index: 'a\n', a: '1' });
  await run();
  const before = await known();
  await acceptIn(home, 1);
  assert.deepEqual(await known(), before);
  writeFileSync(join(dir, 'index'), 'b\n');
  await run();
  writeFileSync(join(dir, 'b'), 'b');
  await run();
  await assert.rejects(acceptIn(home, 2), /is older than the head/);
  assert.equal((await known()).repository?.head, 3);
});

test('a tree that cannot be judged makes no snapshot', async () => {
  writeTree(dir, { index: 'a\n', a: '1' });
  await run();
  writeFileSync(join(dir, 'a'), '22');
  const judge = () => Promise.reject(new ShardctlError('NOT_FOUND', 'there is no gpgv'));
  await assert.rejects(run({ gate: { ...gate.order(), judge } }), /there is no gpgv/);
  assert.deepEqual([(await known()).repository?.head, (await known()).snapshots.length], [1, 1]);
  assert.equal((await run()).summary.number, 2);
});

/** One step of an operator's day. */
const step = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({ kind: fc.constant('run' as const), action: fc.constantFrom('hold', 'hold', 'hold', 'warn', 'off') }),
  },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('index' as const), names: fc.subarray(['a', 'b', 'c']) }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('files' as const), names: fc.subarray(['a', 'b', 'c']) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('accept' as const) }) },
);

test('whatever happens, the head is whole, or somebody wanted it so; and the index says what a slow model says', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 4, maxLength: 12 }), async (steps) => {
      const its = await TestHome.create();
      const source = join(its.dir, 'source');
      writeTree(source, { index: '' });
      /** The states that were committed, what is wrong with each, and whether somebody wanted it. */
      const model = {
        index: [] as string[],
        files: [] as string[],
        /** How often something was written: a file that is written anew has another mtime, and makes another snapshot. */
        writes: 0,
        states: [] as { text: string; missing: string[]; wanted: boolean; accepted: boolean }[],
        head: 0,
      };
      try {
        for (const it of steps) {
          if (it.kind === 'index') {
            model.index = it.names;
            model.writes += 1;
            writeFileSync(join(source, 'index'), it.names.map((name) => `${name}\n`).join(''));
          } else if (it.kind === 'files') {
            for (const name of ['a', 'b', 'c']) rmSync(join(source, name), { force: true });
            for (const name of it.names) writeFileSync(join(source, name), name);
            model.files = it.names;
            if (it.names.length > 0) model.writes += 1;
          } else if (it.kind === 'accept') {
            const newest = model.states.length;
            const done = await acceptIn(its, newest).then(
              () => true,
              () => false,
            );
            assert.equal(done, newest > 0);
            if (newest > model.head) {
              model.head = newest;
              Object.assign(model.states[newest - 1] as object, { wanted: true, accepted: true });
            }
          } else {
            const order = it.action === 'off' ? undefined : gate.order(it.action as 'hold' | 'warn');
            const { summary } = await its.add(source, { gate: order });
            const text = JSON.stringify([model.index, model.files, model.writes]);
            const missing = model.index.filter((name) => !model.files.includes(name));
            const head = model.states[model.head - 1];
            const isSame = model.states.at(-1)?.text === text && text !== undefined;
            const isAccepted =
              head?.accepted === true && order !== undefined && missing.length > 0 && missing.every((name) => head.missing.includes(name));
            if (!isSame) model.states.push({ text, missing, wanted: it.action !== 'hold' || isAccepted, accepted: isAccepted });
            const newest = model.states.length;
            const state = model.states.at(-1) as (typeof model.states)[number];
            if (newest > model.head && (state.missing.length === 0 || state.wanted || it.action !== 'hold')) {
              state.wanted = true;
              model.head = newest;
            }
            assert.equal(summary.number, newest);
          }
          const { repository, snapshots } = await known(its);
          assert.equal(repository?.head ?? 0, model.head);
          assert.equal(repository?.held, model.states.length > model.head ? model.states.length : undefined);
          assert.equal(snapshots.length, model.states.length);
          const head = snapshots[model.head - 1];
          const text = join(its.dir, 'heads', 'test');
          assert.equal(existsSync(text) ? readFileSync(text, 'utf8').trim() : undefined, head?.cid);
        }
        assert.deepEqual(await its.damage(), []);
      } finally {
        its.remove();
      }
    }),
    { numRuns: sampled(3, 12) },
  );
});
