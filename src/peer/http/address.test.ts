import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseAddress } from './address.ts';

test('user and password of a URL are decoded, and a percent sign that encodes nothing is taken as it stands', () => {
  for (const [written, meant] of [
    ['u:50%off', 'u:50%off'],
    ['u%40h:%c3%a4%zz', 'u@h:ä%zz'],
  ])
    assert.equal(parseAddress(`http://${written}@host/`).authorization, `Basic ${Buffer.from(meant ?? '').toString('base64')}`);
});
