import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BoundedQueue } from './bounded-queue.ts';

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
