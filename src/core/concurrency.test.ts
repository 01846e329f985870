import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BoundedQueue, limitedTo, sleep } from './concurrency.ts';

const never = new AbortController().signal;

test('a queue runs no more at once than it may, more while it is widened, and holds the producer back', async () => {
  const queue = new BoundedQueue(1, 2);
  let running = 0;
  const releases: (() => void)[] = [];
  const task = async () => {
    running++;
    await new Promise<void>((resolve) => releases.push(resolve));
    running--;
  };
  await queue.add(task);
  await queue.add(task);
  assert.equal(running, 1);
  queue.widen(1);
  await new Promise(setImmediate);
  assert.equal(running, 2);
  queue.widen(0);
  let isHeld = true;
  await queue.add(task);
  const held = queue.add(task).then(() => {
    isHeld = false;
  });
  await new Promise(setImmediate);
  assert.equal(isHeld, true);
  for (let i = 0; i < 4; i++) {
    releases.shift()?.();
    await new Promise(setImmediate);
    await new Promise(setImmediate);
  }
  await held;
  await queue.drained();
  assert.equal(running, 0);
});

test('the first failure ends a queue, and every later step throws it', async () => {
  const queue = new BoundedQueue(1, 2);
  await queue.add(async () => {
    throw new Error('first');
  });
  await assert.rejects(queue.drained(), /first/);
  await assert.rejects(
    queue.add(async () => {}),
    /first/,
  );
});

test('sleep ends with the reason of an abort', async () => {
  const controller = new AbortController();
  const sleeping = sleep(60_000, controller.signal);
  controller.abort(new Error('enough'));
  await assert.rejects(sleeping, /enough/);
});

test('what passes a limit together is below its rate, and a burst of a quarter of a second goes at once', async () => {
  // A clock that stands still: everything that has to wait would wait for real.
  let now = 0;
  const pass = limitedTo(1_000, never, () => now);
  await pass(100);
  await pass(150);
  const began = performance.now();
  await Promise.all([pass(50), pass(50)]);
  const waited = performance.now() - began;
  assert.ok(waited >= 45, `${waited} ms for 50 bytes over the burst`);
  now = 10_000;
  const again = performance.now();
  await pass(200);
  assert.ok(performance.now() - again < 45, 'time that nobody used does not add up to more than a burst');
});
