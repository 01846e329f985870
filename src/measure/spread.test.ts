import assert from 'node:assert/strict';
import test from 'node:test';
import { isNoisy, NOISY, spreadOf, verdictOf } from './spread.ts';

test('measurements are noisy when the largest is over one and a half times the smallest', () => {
  const spread = (...values: number[]) => spreadOf(values) as NonNullable<ReturnType<typeof spreadOf>>;
  assert.deepEqual(spread(4, 1, 2, 3), { median: 2.5, least: 1, most: 4 });
  assert.ok(!isNoisy(spread(2, 2 * NOISY)));
  assert.ok(isNoisy(spread(2, 2 * NOISY + 0.01)));
  assert.equal(spreadOf([]), undefined);
});

test('there is a verdict where neither is noisy, and it is that of the medians', () => {
  const [steady, noisy] = [
    { median: 3, least: 3, most: 4 },
    { median: 6, least: 1, most: 7 },
  ];
  assert.equal(verdictOf(steady, { median: 6, least: 5, most: 7 }), 0.5);
  assert.equal(verdictOf(steady, noisy), undefined);
  assert.equal(verdictOf(noisy, steady), undefined);
});
