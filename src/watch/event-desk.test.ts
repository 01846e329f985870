import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { InotifyCalls } from '../core/inotify-calls.ts';
import { EventDesk } from './event-desk.ts';

test('without a descriptor to be woken by, there is no desk: nobody could end its wait', () => {
  const bell = () => -24;
  assert.throws(() => new EventDesk({ bell } as unknown as InotifyCalls), { code: 'EMFILE' });
});
