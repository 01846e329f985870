import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { MakingTurns } from './turns.ts';

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
