import assert from 'node:assert/strict';
import test from 'node:test';
import { isNoisy, NOISY, spreadOf } from './spread.ts';

test('measurements are noisy when the largest is over one and a half times the smallest', () => {
  const spread = (...values: number[]) => spreadOf(values) as NonNullable<ReturnType<typeof spreadOf>>;
  assert.deepEqual(spread(4, 1, 2, 3), { median: 2.5, least: 1, most: 4 });
  assert.ok(!isNoisy(spread(2, 2 * NOISY)));
  assert.ok(isNoisy(spread(2, 2 * NOISY + 0.01)));
  assert.equal(spreadOf([]), undefined);
});
