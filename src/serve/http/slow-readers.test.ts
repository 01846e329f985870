import assert from 'node:assert/strict';
import type { Socket } from 'node:net';
import { test } from 'node:test';
import { SlowReaders } from './slow-readers.ts';

/** As much of a socket as is looked at. */
class Reader {
  _handle = { bytesWritten: 0, writeQueueSize: 0 };
  writableLength = 0;
  remoteAddress = '192.0.2.1';
  isDropped = false;
  onDrop = () => {};
  resetAndDestroy(): void {
    this.isDropped = true;
    this.onDrop();
  }
  given(bytes: number): void {
    this._handle.bytesWritten += bytes;
    this._handle.writeQueueSize += bytes;
  }
  takes(bytes: number): void {
    this._handle.writeQueueSize -= bytes;
  }
}

function watching(readers: readonly Reader[], mostSlow = 100) {
  let dropped = 0;
  const sockets = new Set(readers as unknown as Socket[]);
  for (const reader of readers) reader.onDrop = () => void sockets.delete(reader as unknown as Socket);
  const options = { everyMs: 1000, leastBytes: 100, mostSlow, onDrop: () => void dropped++ };
  const slow = new SlowReaders(sockets, options);
  slow.close();
  return { slow, dropped: () => dropped };
}

test('a client that takes too little of what waits for it is dropped, one that takes enough or for whom nothing waits is not', () => {
  const [slow, quick, idle] = [new Reader(), new Reader(), new Reader()];
  const watch = watching([slow, quick, idle]);
  slow.given(10_000);
  quick.given(10_000);
  for (let now = 0; now <= 2000; now += 100) {
    watch.slow.look(now);
    slow.takes(1);
    quick.takes(20);
  }
  assert.deepEqual([slow.isDropped, quick.isDropped, idle.isDropped], [true, false, false]);
});

test('what a client has taken is counted from when something began to wait for it', () => {
  const reader = new Reader();
  const watch = watching([reader]);
  for (let now = 0; now <= 5000; now += 100) watch.slow.look(now);
  reader.given(10);
  watch.slow.look(5100);
  reader.takes(10);
  watch.slow.look(6050);
  reader.given(10);
  watch.slow.look(6100);
  watch.slow.look(7000);
  assert.equal(reader.isDropped, false);
  watch.slow.look(7100);
  assert.equal(reader.isDropped, true);
});

test('of more slow clients than may be, those that have been slow longest are dropped at once', () => {
  const readers = Array.from({ length: 5 }, () => new Reader());
  const watch = watching(readers, 2);
  for (const [at, reader] of readers.entries()) {
    reader.given(1000);
    watch.slow.look(at);
  }
  watch.slow.look(10);
  assert.deepEqual(
    readers.map(({ isDropped }) => isDropped),
    [true, true, true, false, false],
  );
});
