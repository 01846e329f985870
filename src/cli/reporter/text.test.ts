import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Event } from '../../core/events.ts';
import { ProblemLines } from './text.ts';

test('a cause that several warnings have is told with the first of them', () => {
  const lines = new ProblemLines({ namesAll: false });
  const cause = 'peer "k" cannot be reached';
  const warning = (message: string): Event => ({ type: 'warning', message, cause });
  assert.equal(lines.of(warning(`k keeps roots: ${cause}`)), `warning: k keeps roots: ${cause}`);
  assert.equal(lines.of(warning(`k keeps shards: ${cause}`)), 'warning: k keeps shards, as before');
  assert.equal(lines.of({ type: 'warning', message: `x: ${cause}` }), `warning: x: ${cause}`);
});
