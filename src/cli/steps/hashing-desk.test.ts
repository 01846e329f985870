import assert from 'node:assert/strict';
import type { Worker } from 'node:cluster';
import { EventEmitter } from 'node:events';
import { test } from 'node:test';
import { HashingDesk } from './hashing-desk.ts';

class FakeWorker extends EventEmitter {
  readonly told: object[] = [];
  isAlive = true;
  isConnected(): boolean {
    return this.isAlive;
  }
  send(message: object): boolean {
    this.told.push(message);
    return true;
  }
}

test('one worker hashes at a time; the next one hears what was done, also when the one before has died, and the dead are passed over', () => {
  const desk = new HashingDesk();
  const [a, b, c, d] = Array.from({ length: 4 }, () => new FakeWorker()) as [FakeWorker, FakeWorker, FakeWorker, FakeWorker];
  for (const worker of [a, b, c, d]) desk.add(worker as unknown as Worker);
  for (const worker of [a, b, c, d]) worker.emit('message', { is: 'hashing-wanted' });
  assert.deepEqual([a.told, b.told], [[{ do: 'hash' }], []]);
  // Nobody else can end it.
  b.emit('message', { is: 'hashing-ended', done: 'lie' });
  assert.deepEqual(b.told, []);
  a.emit('message', { is: 'hashing-ended', done: 'trees' });
  assert.deepEqual(b.told, [{ do: 'hash', done: 'trees' }]);
  c.isAlive = false;
  b.isAlive = false;
  b.emit('exit');
  assert.deepEqual([c.told, d.told], [[], [{ do: 'hash', done: 'trees' }]]);
});
