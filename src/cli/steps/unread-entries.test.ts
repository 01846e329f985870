import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ShardctlError } from '../../core/errors.ts';
import type { Event } from '../../core/events.ts';
import type { Context } from '../command-line/context.ts';
import { UnreadEntries } from './unread-entries.ts';

test('a part of the directory itself that is walked, as of a sharded one, is named by a dot', () => {
  const events: Event[] = [];
  const context = { signal: new AbortController().signal, reporter: { event: (event: Event) => events.push(event) } };
  const unread = new UnreadEntries(context as unknown as Context);
  for (const path of ['', 'a/gro\xdf']) unread.failed(path, new ShardctlError('DAMAGE', 'a block is gone'));
  assert.deepEqual(
    events.map((event) => event.type === 'unread' && event.path),
    ['.', 'a/gro\\xDF'],
  );
  assert.throws(() => unread.assertNone(), { code: 'DAMAGE', message: /^2 entries/ });
});
