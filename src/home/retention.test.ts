import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseDuration, parseKeep } from './retention.ts';

test('a duration that is none is refused', () => {
  assert.deepEqual(parseDuration('7d'), { years: 0, months: 0, days: 7, hours: 0 });
  for (const text of ['', '7', 'd', '1h2d', '-1d', '1.5d', '1w']) assert.throws(() => parseDuration(text), { code: 'USAGE' }, text);
});

test('rules are read from one text, and those that are none, or keep nothing, are refused', () => {
  assert.equal(parseKeep('all'), undefined);
  assert.deepEqual(parseKeep('daily=7,last=unlimited,tag=a,tag=b'), { daily: 7, last: Number.POSITIVE_INFINITY, tags: ['a', 'b'] });
  assert.deepEqual(parseKeep('last=0,weekly=1'), { last: 0, weekly: 1 });
  for (const text of ['', 'bogus', 'daily', 'daily=-1', 'daily=7,', 'tag=', 'within=x', 'all,daily=1'])
    assert.throws(() => parseKeep(text), { code: 'USAGE' }, text);
  for (const text of ['daily=0', 'last=0,yearly=0', 'within=0d'])
    assert.throws(() => parseKeep(text), { code: 'USAGE', message: /that keeps nothing/ }, text);
});
