import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FILE } from '../../core/model.ts';
import { profileOf } from '../../dag/cid-profile.ts';
import { Directory } from '../../walk/directory.ts';
import { PAUSE } from '../../walk/walk-step.ts';
import { plan } from './plan.ts';

test('a pause is passed on at once, also when steps wait behind an open group', () => {
  const directory = new Directory('', undefined, -1, ['a']);
  directory.kinds[0] = FILE;
  const taken: string[] = [];
  function* steps() {
    yield { kind: 'enter', directory } as const;
    yield PAUSE;
    taken.push('after the pause');
    yield { kind: 'leave', directory } as const;
  }
  for (const item of plan(steps(), profileOf('unixfs-v1-2025'))) taken.push(item.kind);
  assert.deepEqual(taken, ['pause', 'after the pause', 'group', 'enter', 'filled', 'leave']);
});
