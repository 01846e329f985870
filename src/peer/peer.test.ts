import assert from 'node:assert/strict';
import { test } from 'node:test';
import { troubleOf } from './peer.ts';

test('a peer is named once in what went wrong with it', () => {
  assert.equal(troubleOf('a', new Error('it fails')), 'peer "a": it fails');
  assert.equal(troubleOf('a', new Error('peer "a" is not there: /a')), 'peer "a" is not there: /a');
  assert.equal(troubleOf('a', new Error('peer "ab" is not there: /a')), 'peer "a": peer "ab" is not there: /a');
});
