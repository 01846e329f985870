import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isRacyAt } from './racy.ts';

const MILLISECOND = 1_000_000n;
const STARTED_MS = 1_700_000_000_500;
const STARTED = BigInt(STARTED_MS) * MILLISECOND;

test('a ctime within the last tick before the scan, or after its start, is racy', () => {
  const isRacy = isRacyAt(STARTED_MS);
  assert.deepEqual(
    [-21n, -20n, -1n, 0n, 1n, 1_000_000n].map((ms) => isRacy(STARTED + ms * MILLISECOND)),
    [false, true, true, true, true, true],
  );
});

test('a ctime of whole seconds is racy for two seconds, because its clock may have no finer ones', () => {
  const isRacy = isRacyAt(STARTED_MS);
  const second = 1_700_000_000n * 1000n * MILLISECOND;
  assert.deepEqual(
    [0n, -1000n, -2000n].map((ms) => isRacy(second + ms * MILLISECOND)),
    [true, true, false],
  );
  assert.equal(isRacy(second + 1n), false);
});
