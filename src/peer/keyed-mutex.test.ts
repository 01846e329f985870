import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { KeyedMutex } from './keyed-mutex.ts';

test('work on one key runs one at a time, in order, after failures too; work on another key does not wait', async () => {
  const mutex = new KeyedMutex();
  const log: string[] = [];
  let finishFirst = () => {};
  const first = mutex.withLock('a', async () => {
    log.push('first begins');
    await new Promise<void>((resolve) => (finishFirst = resolve));
    log.push('first fails');
    throw new Error('first');
  });
  const second = mutex.withLock('a', async () => log.push('second'));
  await mutex.withLock('b', async () => log.push('other key'));
  await setImmediate();
  assert.deepEqual(log, ['first begins', 'other key']);
  finishFirst();
  await assert.rejects(first, /first/);
  await second;
  await mutex.withLock('a', async () => log.push('third'));
  assert.deepEqual(log.slice(2), ['first fails', 'second', 'third']);
});
