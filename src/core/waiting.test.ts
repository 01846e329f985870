import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { endsWithin, limitedTo, retrying, sleep, untilAborted } from './waiting.ts';

const never = new AbortController().signal;

/** Whether a promise has ended after all that is due now. */
async function isOver(work: Promise<unknown>): Promise<boolean> {
  let isOver = false;
  const over = () => {
    isOver = true;
  };
  work.then(over, over);
  await setImmediate();
  return isOver;
}

test('sleep ends with the reason of an abort', async () => {
  const controller = new AbortController();
  const sleeping = sleep(60_000, controller.signal);
  controller.abort(new Error('enough'));
  await assert.rejects(sleeping, /enough/);
});

test('work is waited for until it ends or fails, and no longer than it may take', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  assert.equal(await endsWithin(100, Promise.resolve()), true);
  await assert.rejects(endsWithin(100, Promise.reject(new Error('broken'))), /broken/);
  let fail = (_: Error) => {};
  const late = endsWithin(
    100,
    new Promise((_, reject) => {
      fail = reject;
    }),
  );
  t.mock.timers.tick(99);
  assert.equal(await isOver(late), false);
  t.mock.timers.tick(1);
  assert.equal(await late, false);
  // Nobody hears it: an unhandled rejection would end the process.
  fail(new Error('later'));
  await setImmediate();
});

test('work is waited for until its signal is aborted, be that before or during the wait', async () => {
  const endless = new Promise<never>(() => {});
  const controller = new AbortController();
  const waiting = untilAborted(endless, controller.signal);
  controller.abort(new Error('enough'));
  await assert.rejects(waiting, /enough/);
  await assert.rejects(untilAborted(endless, controller.signal), /enough/);
  assert.equal(await untilAborted(Promise.resolve(1), never), 1);
});

test('work is done again after the pauses that are named, until it succeeds, none is named, or the signal is aborted', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const failures: unknown[] = [];
  const pauses = [10, 20];
  let attempts = 0;
  const work = (successAt: number) => async () => {
    attempts++;
    if (attempts < successAt) throw new Error(`no ${attempts}`);
    return attempts;
  };
  const pauseAfter = (error: unknown, attempt: number) => {
    failures.push(error);
    return pauses[attempt - 1];
  };
  const third = retrying(work(3), pauseAfter);
  assert.equal(await isOver(third), false);
  t.mock.timers.tick(10);
  assert.equal(await isOver(third), false);
  assert.equal(attempts, 2);
  t.mock.timers.tick(20);
  assert.equal(await third, 3);
  assert.deepEqual(failures.map(String), ['Error: no 1', 'Error: no 2']);

  attempts = 0;
  const fourth = retrying(work(4), pauseAfter);
  for (const ms of pauses) {
    await setImmediate();
    t.mock.timers.tick(ms);
  }
  await assert.rejects(fourth, /no 3/);

  attempts = 0;
  const controller = new AbortController();
  const aborted = retrying(work(2), pauseAfter, controller.signal);
  await setImmediate();
  controller.abort(new Error('enough'));
  await assert.rejects(aborted, /enough/);
  assert.equal(attempts, 1);
});

test('what passes a limit together stays below its rate, a burst of a quarter of a second goes at once, and idle time buys no more', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout', 'Date'] });
  const pass = limitedTo(1_000, never, Date.now);
  await pass(100);
  await pass(150);
  // 250 bytes have gone: 50 more are paid for by what passed before them, and the next 50 after another 50 ms.
  assert.equal(await isOver(pass(50)), true);
  const waiting = pass(50);
  t.mock.timers.tick(49);
  assert.equal(await isOver(waiting), false);
  t.mock.timers.tick(1);
  assert.equal(await isOver(waiting), true);

  t.mock.timers.tick(10_000);
  await pass(250);
  await pass(1);
  const more = pass(1);
  assert.equal(await isOver(more), false);
  t.mock.timers.tick(1);
  assert.equal(await isOver(more), true);
});
