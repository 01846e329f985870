import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ShardctlError } from '../../core/errors.ts';
import { MovedBlock } from '../../read/stored/stored-blocks.ts';
import { failureOf } from './failure.ts';

test('only what was moved is no trouble: a peer that does not answer is, also where trying again may help', () => {
  const told = (error: unknown) => {
    const { code, retryAfter, isTrouble } = failureOf(error);
    return [code, retryAfter, isTrouble];
  };
  assert.deepEqual(told(new MovedBlock('block x')), [503, 1, false]);
  for (const retryable of [false, true]) {
    assert.deepEqual(told(new ShardctlError('TOO_FEW_PEERS', 'silent', { retryable })), [503, 30, true]);
    assert.deepEqual(told(new ShardctlError('DAMAGE', 'torn', { retryable })), [502, undefined, true]);
  }
  assert.deepEqual(told(new ShardctlError('IO', 'odd', { retryable: true })), [503, 5, true]);
  assert.deepEqual(told(new Error('a bug')), [500, undefined, true]);
});

test('a client is told nothing of the peers, the paths and the bugs of a server', () => {
  for (const error of [new ShardctlError('IO', '/home/secret'), new ShardctlError('TOO_FEW_PEERS', 'peer "secret"'), new Error('secret')])
    assert.doesNotMatch(failureOf(error).text, /secret/);
});
