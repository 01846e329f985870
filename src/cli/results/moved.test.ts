import assert from 'node:assert/strict';
import { test } from 'node:test';
import { NOTHING_MOVED } from '../../storing/copy/mover.ts';
import { movedCode } from './moved.ts';

test('what could not be moved ends with 44 for damage, 43 for want of room, and 42 where peers do not answer', () => {
  const code = (counts: Partial<typeof NOTHING_MOVED>) => movedCode({ ...NOTHING_MOVED, dryRun: false, surplus: 0, peers: [], ...counts });
  assert.deepEqual(
    [code({ copied: 9 }), code({ left: 1 }), code({ left: 2, full: 1 }), code({ left: 2, full: 1, unreadable: 1 })],
    [0, 42, 43, 44],
  );
});
