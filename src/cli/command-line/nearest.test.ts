import assert from 'node:assert/strict';
import { test } from 'node:test';
import { nearest } from './nearest.ts';

const WORDS = ['status', 'stats', 'update', 'prune', 'publish', 'ls', 'rm'];

test('a letter too many, too few, wrong or swapped is seen through', () => {
  const slips: readonly (readonly [string, string])[] = [
    ['updatee', 'update'],
    ['udate', 'update'],
    ['upzate', 'update'],
    ['udpate', 'update'],
    ['sl', 'ls'],
  ];
  for (const [typed, meant] of slips) assert.deepEqual(nearest(typed, WORDS), [meant], typed);
});

test('the beginning of words stands for all of them', () => {
  assert.deepEqual(nearest('pub', WORDS), ['publish']);
  assert.deepEqual(nearest('stat', WORDS), ['status', 'stats']);
});

test('what is like nothing is like nothing', () => {
  for (const typed of ['frobnicate', 'x', '', 'mirror']) assert.deepEqual(nearest(typed, WORDS), [], typed);
});
