import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Event } from '../../core/events.ts';
import { News } from './news.ts';

const cause = 'd1 is not there';
const leftOut: Event = { type: 'warning', message: `peer d1 is left out: ${cause}`, cause };
const fewer: Event = { type: 'warning', message: '3 shards have fewer than 2 replicas', cause };
const silent: Event = { type: 'no-answer', peer: 'd1', detail: cause };
const known = (event: Event) => ({ ...event, known: true }) as Event;
const newsIn = (...events: readonly Event[]) => {
  const news = new News();
  return events.map((event) => news.has(event));
};

test('what an earlier run has told is no news, and neither is what else has it for its cause', () => {
  assert.deepEqual(newsIn(known(leftOut), fewer, silent), [false, false, false]);
  assert.deepEqual(newsIn(known(silent), leftOut), [false, false]);
});

test('what this run has told first stays news, also when a later step finds that it was told', () => {
  assert.deepEqual(newsIn(leftOut, known(leftOut), known(silent), fewer), [true, true, true, true]);
});

test('other causes, and what has none, are news', () => {
  const other: Event = { type: 'warning', message: 'd2 is full', cause: 'd2 is full' };
  const damage: Event = { type: 'damage', what: 'shard 3', where: 'd1', detail: cause };
  const back: Event = { type: 'back', peer: 'd1', since: '2026-11-25T12:00:00.000Z' };
  assert.deepEqual(newsIn(known(leftOut), other, damage, back, { type: 'warning', message: cause }), [false, true, true, true, true]);
});
