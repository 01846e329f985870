import assert from 'node:assert/strict';
import { once } from 'node:events';
import { syncBuiltinESMExports } from 'node:module';
import { test } from 'node:test';
import v8 from 'node:v8';
import { Worker } from 'node:worker_threads';
import { Throughput } from './small-heap.ts';

/** Makes objects of which many live for a while, which lets V8 give new ones more room, and says how much they had at most. */
const CHURN = `
const { parentPort, workerData } = require('node:worker_threads');
const { getHeapSpaceStatistics } = require('node:v8');
import(workerData.module).then(({ keepHeapSmall }) => {
  if (workerData.isKept) keepHeapSmall();
  const living = [];
  let most = 0;
  for (let i = 0; i < 3_000_000; i++) {
    living[i % 40_000] = { number: i, list: [i, i], text: 'x' + i };
    if (i % 100_000 !== 0) continue;
    most = Math.max(most, getHeapSpaceStatistics().find((space) => space.space_name === 'new_space').physical_space_size);
  }
  parentPort.postMessage(most);
});`;

async function youngBytes(isKept: boolean): Promise<number> {
  const module = new URL('./small-heap.js', import.meta.url).href;
  const worker = new Worker(CHURN, { eval: true, workerData: { module, isKept } });
  const [bytes] = (await once(worker, 'message')) as [number];
  await worker.terminate();
  return bytes;
}

test('a young generation does not grow further once it is to be kept small, and would have', async () => {
  // In this order: on Node 24 what one thread has set holds for those that start after it.
  assert.ok((await youngBytes(false)) > 20_000_000);
  const small = await youngBytes(true);
  assert.ok(small < 20_000_000, `${small} bytes`);
});

test('the heap of a thread is left alone while little passes through it, and kept small once much has', (t) => {
  const set = t.mock.method(v8, 'setFlagsFromString', () => {});
  syncBuiltinESMExports();
  t.after(() => {
    set.mock.restore();
    syncBuiltinESMExports();
  });
  const throughput = new Throughput();
  for (let i = 0; i < 32; i++) throughput.note(1024 * 1024);
  assert.equal(set.mock.callCount(), 0);
  throughput.note(1);
  const flags = set.mock.callCount();
  assert.ok(flags > 0);
  throughput.note(1024 * 1024);
  assert.equal(set.mock.callCount(), flags, 'once is enough');
});
