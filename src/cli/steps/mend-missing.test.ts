import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Repaired } from '../../maintain/repair/repair.ts';
import { mendedCode } from './mend-missing.ts';

const LOST = [{ what: 'shard 1', snapshots: ['m@1'] }];

for (const [code, repaired] of [
  [0, { lost: [], tooFew: 0, away: 0 }],
  [42, { lost: [], tooFew: 2, away: 2 }],
  [46, { lost: [], tooFew: 2, away: 1 }],
  [44, { lost: LOST, tooFew: 2, away: 2 }],
] as const) {
  const { lost, tooFew, away } = repaired;
  test(`a repair ends with ${code} where ${lost.length} are lost, ${tooFew} are on too few peers, and ${away} of them out of reach`, () => {
    assert.equal(mendedCode(repaired as unknown as Repaired), code);
  });
}
