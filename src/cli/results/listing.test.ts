import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DIRECTORY, FILE, SYMLINK } from '../../core/model.ts';
import { modeText, secondsText, timeText } from './listing.ts';

test('modes are written as ls writes them', () => {
  assert.equal(modeText(FILE, 0o644), '-rw-r--r--');
  assert.equal(modeText(FILE, 0o4755), '-rwsr-xr-x');
  assert.equal(modeText(FILE, 0o6640), '-rwSr-S---');
  assert.equal(modeText(FILE, 0), '----------');
  assert.equal(modeText(DIRECTORY, 0o1777), 'drwxrwxrwt');
  assert.equal(modeText(DIRECTORY, 0o1770), 'drwxrwx--T');
  assert.equal(modeText(SYMLINK, undefined), 'lrwxrwxrwx');
  assert.equal(modeText(FILE, undefined), '-?????????');
});

test('times are exact to the nanosecond, before 1970 and after the end of Date too', () => {
  assert.equal(timeText(1_000_000_000_500_000_001n), '2001-09-09 01:46:40.500000001');
  assert.equal(timeText(0n), '1970-01-01 00:00:00.000000000');
  assert.equal(timeText(-1n), '1969-12-31 23:59:59.999999999');
  assert.equal(timeText(8_640_000_000_001n * 1_000_000_000n + 5n), '@8640000000001.000000005');
  assert.equal(timeText(undefined), '-');
});

test('seconds for programs keep every digit', () => {
  assert.equal(secondsText(1_700_000_000_123_456_789n), '1700000000.123456789');
  assert.equal(secondsText(5n), '0.000000005');
  assert.equal(secondsText(-1_500_000_000n), '-1.500000000');
});
