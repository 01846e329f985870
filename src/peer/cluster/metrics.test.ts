import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ClusterApi } from './api.ts';
import { Metrics } from './metrics.ts';

const api = {
  metricNames: async () => ['freespace', 'ping'],
  metrics: async (name: string) => [{ peer: 'a', value: name === 'ping' ? '' : '1000', valid: true, received_at: 0 }],
} as Partial<ClusterApi> as ClusterApi;

test('a question that fails late does not take along what a later one was answered', async () => {
  let now = 0;
  let questions = 0;
  let fail = (_: Error): void => {};
  const late = new Promise<never>((_, reject) => {
    fail = reject;
  });
  const ailing = () => (++questions === 1 ? late : Promise.resolve(new Map()));
  const metrics = new Metrics({ api, expected: ['a'], health: { ailing }, startWaitMs: 0, now: () => now });
  const first = metrics.all();
  now += 1000;
  assert.equal((await metrics.of('a')).freeBytes, 1000);
  fail(new Error('too late'));
  await assert.rejects(first, /too late/);
  assert.equal((await metrics.of('a')).freeBytes, 1000);
  assert.equal(questions, 2, 'the second answer is still fresh');
});
