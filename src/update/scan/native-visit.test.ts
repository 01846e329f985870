import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Worker } from 'node:worker_threads';
import { NativeVisit } from './native-visit.ts';

const MODULE = JSON.stringify(new URL('./native-visit.js', import.meta.url).href);

/** A thread that goes in, says so, and comes out when it is asked to, as fast as it can. */
const VISITOR = `
  const { parentPort, workerData } = require('node:worker_threads');
  import(${MODULE}).then(({ NativeVisit }) => {
    const visit = new NativeVisit(workerData);
    if (!visit.enter()) return;
    parentPort.postMessage('inside');
    while (!visit.isAskedToLeave) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1);
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 100);
    Atomics.store(workerData, 2, 1); // the last thing that it does inside
    visit.leave();
  });`;

describe('a visit to native code', () => {
  it('is waited for by whoever ends the thread', async () => {
    const memory = new Int32Array(new SharedArrayBuffer(12));
    const worker = new Worker(VISITOR, { eval: true, workerData: memory });
    await new Promise((resolve) => worker.once('message', resolve));
    const visit = new NativeVisit(memory);
    visit.close(10_000);
    assert.equal(memory[2], 1);
    assert.equal(visit.enter(), false);
    await worker.terminate();
  });

  it('does not begin any more once nobody is to go in', () => {
    const visit = new NativeVisit();
    assert.equal(visit.enter(), true);
    visit.leave();
    visit.close(0);
    assert.equal(new NativeVisit(visit.memory).enter(), false);
    visit.leave();
    assert.equal(visit.enter(), false);
  });

  it('that does not end holds nobody up for ever', () => {
    const visit = new NativeVisit();
    visit.enter();
    visit.close(10);
    assert.equal(visit.isAskedToLeave, true);
  });
});
