import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatTime, parseTime, parseTimeout } from './times.ts';

test('a time is a number with a unit, and nothing else', () => {
  assert.deepEqual(['0', '90s', '30m', '6h', '2d', '2w'].map(parseTime), [0, 90_000, 1_800_000, 21_600_000, 172_800_000, 1_209_600_000]);
  for (const text of ['', '6', '-6h', '6 h', '6hours', '1.5h', '6H', '1234567s', 'h']) assert.equal(parseTime(text), undefined, text);
});

test('a time is shown in the largest unit of which there are two', () => {
  assert.deepEqual([0, 119_000, 120_000, 7_199_000, 7_200_000, 172_800_000].map(formatTime), [
    '0 s',
    '119 s',
    '2 min',
    '119 min',
    '2 h',
    '2 d',
  ]);
});

test('what may take a time takes some, and no more than a timer holds: Node would fire one of 25 days at once', () => {
  assert.deepEqual(['1s', '24d', '0', '0s', '25d', 'x'].map(parseTimeout), [
    1000,
    24 * 86_400_000,
    undefined,
    undefined,
    undefined,
    undefined,
  ]);
});
