import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Event } from '../../core/events.ts';
import { problemLines } from './text.ts';

test('a cause that several warnings have is told with the first of them', () => {
  const lineOf = problemLines();
  const cause = 'peer "k" cannot be reached';
  const warning = (message: string): Event => ({ type: 'warning', message, cause });
  assert.equal(lineOf(warning(`k keeps roots: ${cause}`)), `warning: k keeps roots: ${cause}`);
  assert.equal(lineOf(warning(`k keeps shards: ${cause}`)), 'warning: k keeps shards, as before');
  assert.equal(lineOf({ type: 'warning', message: `x: ${cause}` }), `warning: x: ${cause}`);
});
