import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { MakingTurns, noteArrival } from './turns.ts';

/** Nobody gives up a place for having it long, however busy the machine is. */
const NEVER = 2 ** 31 - 1;

test('no more are made at once than may be, all in the order in which they were asked for, whether they fail or not', async () => {
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 1, max: 4 }), fc.array(fc.tuple(fc.nat(3), fc.boolean()), { maxLength: 30 }), async (most, jobs) => {
      const turns = new MakingTurns(most, NEVER);
      const begun: number[] = [];
      let now = 0;
      const results = await Promise.allSettled(
        jobs.map(([ticks, fails], at) =>
          turns.take(async () => {
            begun.push(at);
            assert.ok(++now <= most);
            for (let tick = 0; tick < ticks; tick++) await new Promise(setImmediate);
            now--;
            if (fails) throw new Error('torn');
            return at;
          }),
        ),
      );
      assert.deepEqual(
        begun,
        jobs.map((_, at) => at),
      );
      assert.deepEqual(
        results.map(({ status }) => status === 'rejected'),
        jobs.map(([, fails]) => fails),
      );
      assert.equal(turns.waiting, 0);
    }),
    { numRuns: 50 },
  );
});

test('while many wait, one goes on in each turn of the event loop', async () => {
  const turns = new MakingTurns(4);
  let resumed = 0;
  const all = Array.from({ length: 10 }, () => turns.pause().then(() => void resumed++));
  let loops = 0;
  let most = 0;
  for (let before = 0; resumed < 10; before = resumed, loops++) {
    await new Promise(setImmediate);
    most = Math.max(most, resumed - before);
  }
  await Promise.all(all);
  assert.ok(most <= 2 && loops >= 5, `${most} in one turn, ${loops} turns`);
});

test('of what waits, no more is made in one turn of the event loop than takes a millisecond or two', async (t) => {
  let now = 0;
  t.mock.method(performance, 'now', () => now);
  for (const [took, most] of [
    [0.01, 110],
    [0.7, 3],
  ] as const) {
    const turns = new MakingTurns(1, NEVER);
    let made = 0;
    const all = Promise.all(
      Array.from({ length: 300 }, () =>
        turns.take(async () => {
          now += took;
          made++;
        }),
      ),
    );
    for (let before = 0; made < 300; ) {
      await new Promise(setImmediate);
      assert.ok(made - before <= most, `${made - before} of ${took} ms in one turn`);
      before = made;
    }
    await all;
  }
});

test('while a connection comes in every turn of the event loop, what was begun waits, and goes on after 20 ms all the same', async (t) => {
  let now = 0;
  t.mock.method(performance, 'now', () => now);
  const turns = new MakingTurns();
  let isOver = false;
  const paused = turns.pause().then(() => {
    isOver = true;
  });
  for (let turn = 0; turn < 50; turn++) {
    noteArrival();
    await new Promise(setImmediate);
    assert.equal(isOver, false);
  }
  now = 20;
  for (let turn = 0; turn < 3; turn++) {
    noteArrival();
    await new Promise(setImmediate);
  }
  assert.equal(isOver, true);
  await paused;
});

test('what waits for a silent peer keeps nobody else from being made', async () => {
  const turns = new MakingTurns(1, 0);
  let answer = () => {};
  const answered = new Promise<void>((resolve) => {
    answer = resolve;
  });
  const silent = turns.take(() => answered);
  assert.equal(await turns.take(async () => 'made'), 'made');
  answer();
  await silent;
});
