import assert from 'node:assert/strict';
import { test } from 'node:test';
import { EXIT, worstOf } from './errors.ts';

const CODES = Object.values(EXIT).filter((code) => code !== EXIT.done);

test('every exit code has a rank: none is taken for success, and of two it is always the same one that wins', () => {
  for (const code of CODES) assert.equal(worstOf([EXIT.done, code]), code);
  for (const one of CODES) {
    for (const other of CODES) {
      const worst = worstOf([one, other]);
      assert.ok(worst === one || worst === other);
      assert.equal(worstOf([other, one]), worst);
    }
  }
  assert.equal(worstOf([]), EXIT.done);
});

test('what was interrupted is not hidden by what it had found, and what a later run may put right is the least', () => {
  for (const code of CODES.filter((it) => it !== EXIT.bug))
    assert.equal(worstOf([code, EXIT.interrupted]), code === EXIT.terminated ? code : EXIT.interrupted);
  for (const code of CODES) assert.equal(worstOf([code, EXIT.locked]), code);
});
