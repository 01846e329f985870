import assert from 'node:assert/strict';
import { test } from 'node:test';
import { StatusLine } from './status-line.ts';

const MIB = 1024 * 1024;

test('a step that passes bytes tells how many are left, and for how long, once that is known', () => {
  let ms = 0;
  const status = new StatusLine(() => ms);
  const paceAt = (at: number, bytes: number, totalBytes?: number) => {
    ms = at;
    status.take({ type: 'progress', label: 'get', done: 1, total: 40, bytes, ...(totalBytes === undefined ? {} : { totalBytes }) });
    return status.stepPace;
  };
  assert.equal(paceAt(0, 0, 40 * MIB), '');
  assert.equal(paceAt(500, MIB / 2, 40 * MIB), '512.0 KiB/40.0 MiB');
  assert.equal(paceAt(10_000, 10 * MIB, 40 * MIB), '10.0 MiB/40.0 MiB, 1.0 MiB/s, 30 s left');
  assert.equal(paceAt(20_000, 20 * MIB), '20.0 MiB, 1.0 MiB/s');
  assert.match(paceAt(30_000, 50 * MIB, 40 * MIB), /^50.0 MiB\/50.0 MiB, [\d.]+ MiB\/s$/);
});
