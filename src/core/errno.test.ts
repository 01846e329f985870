import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { getSystemErrorMap } from 'node:util';
import { isGone, isNoSpace } from './errno.ts';
import { errnoOf, ioError, messageOf, reasonOf } from './errors.ts';

/** As Node's calls throw one, each in its own way. */
const thrown = (code: string, message: string, errno: number) => Object.assign(new Error(message), { code, errno, syscall: 'open' });

describe('the errno of a failed system call', { skip: process.platform === 'linux' ? false : 'the numbers are those of Linux' }, () => {
  it('has a name for each number, be it that Node has none', () => {
    for (let number = 1; number < 134; number++) {
      const node = getSystemErrorMap().get(-number);
      const unknown = `Unknown system error -${number}`;
      const errors =
        node === undefined
          ? [thrown(unknown, `${unknown}: ${unknown}, open '/a'`, -number), thrown('UNKNOWN', `UNKNOWN: unknown error, open '/a'`, -number)]
          : [thrown(node[0], `${node[0]}: ${node[1]}, open '/a'`, -number)];
      for (const error of [...errors, Object.assign(new Error('of LMDB'), { code: number })]) {
        assert.match(errnoOf(error) ?? '', /^(E[A-Z0-9]+|errno \d+)$/);
        assert.equal(errnoOf(error), errnoOf(errors[0]));
        assert.doesNotMatch(messageOf(error), /unknown (system )?error -/i);
        assert.doesNotMatch(reasonOf(error), /\/a/);
      }
    }
    assert.equal(errnoOf(thrown('Unknown system error -116', '', -116)), 'ESTALE');
    assert.equal(errnoOf(thrown('UNKNOWN', '', -9999)), 'errno 9999');
    assert.equal(messageOf(thrown('UNKNOWN', "UNKNOWN: unknown error, open '/a'", -126)), "ENOKEY: required key not available, open '/a'");
  });

  it('is none of what is no system call', () => {
    for (const error of [
      undefined,
      null,
      'text',
      new Error('a'),
      { code: 'ERR_INVALID_ARG_TYPE' },
      { code: 'DAMAGE' },
      { code: -30792 },
      { code: 0 },
    ]) {
      assert.equal(errnoOf(error), undefined);
    }
  });

  it('says a quota as it says a full disk', () => {
    for (const errno of [28, 122])
      assert.equal(ioError(thrown('UNKNOWN', 'UNKNOWN: unknown error, write', -errno), 'writing', '/a').exitCode, 43);
    assert.ok(isNoSpace('EDQUOT') && !isNoSpace('EIO') && !isNoSpace(undefined));
    assert.ok(isGone('ENOTDIR') && !isGone('ESTALE'));
  });
});
