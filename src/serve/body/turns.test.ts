import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MakingTurns } from './turns.ts';

test('no more are made at once than there are places, in the order in which they were asked for', async () => {
  const turns = new MakingTurns(2);
  const order: number[] = [];
  let [now, most] = [0, 0];
  const make = (which: number) => async () => {
    order.push(which);
    most = Math.max(most, ++now);
    await turns.pause();
    now--;
    return which;
  };
  const all = [0, 1, 2, 3, 4, 5].map((which) => turns.take(make(which)));
  assert.deepEqual(await Promise.all(all), [0, 1, 2, 3, 4, 5]);
  assert.deepEqual([order, most, turns.waiting], [[0, 1, 2, 3, 4, 5], 2, 0]);
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

test('one that fails gives its place to the next', async () => {
  const turns = new MakingTurns(1);
  await assert.rejects(
    turns.take(async () => {
      throw new Error('torn');
    }),
    { message: 'torn' },
  );
  assert.equal(await turns.take(async () => 'made'), 'made');
});
