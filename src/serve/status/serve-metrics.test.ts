import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BUCKETS, METHODS, ROUTES, ServeMetrics, STATUSES } from './serve-metrics.ts';

const sum = (numbers: Float64Array) => numbers.reduce((a, b) => a + b, 0);

test('each answer is counted once, under its route, method and status', () => {
  const metrics = new ServeMetrics();
  metrics.answered('ipfs', 'HEAD', 404, 12, 0.002);
  const at = (ROUTES.indexOf('ipfs') * METHODS.length + METHODS.indexOf('HEAD')) * STATUSES.length + STATUSES.indexOf(404);
  assert.equal(metrics.requests[at], 1);
  assert.equal(sum(metrics.requests), 1);
  assert.equal(metrics.bytes[ROUTES.indexOf('ipfs')], 12);
  assert.equal(metrics.buckets[ROUTES.indexOf('ipfs') * (BUCKETS.length + 1) + BUCKETS.indexOf(0.0025)], 1);
  assert.equal(sum(metrics.buckets), 1);
});

test('a method or a status that nobody has listed, and an answer that took hours, are counted as other', () => {
  const metrics = new ServeMetrics();
  for (const [method, status] of [
    ['BREW', 200],
    ['GET', 799],
    ['GET', -1],
    ['GET', 5000],
  ] as const) {
    metrics.answered('other', method, status, 0, 7200);
  }
  assert.equal(sum(metrics.requests), 4);
  assert.equal(metrics.buckets.at(-1), 4);
});
