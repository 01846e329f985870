import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Drip, Patience } from './patience.ts';

/** Takes a piece every so often. @returns seconds until it was given up */
function secondsOf(patience: Patience, { bytes, everyMs, mostSeconds }: { bytes: number; everyMs: number; mostSeconds: number }): number {
  for (let ms = everyMs; ms <= mostSeconds * 1000; ms += everyMs) {
    try {
      patience.took(bytes, everyMs);
    } catch (error) {
      assert.ok(error instanceof Drip);
      return ms / 1000;
    }
  }
  return Number.POSITIVE_INFINITY;
}

test('an answer that is held whole has a limit in all, which grows with what has come', () => {
  assert.equal(secondsOf(new Patience('whole', 5_000), { bytes: 1, everyMs: 500, mostSeconds: 100 }), 15.5);
  assert.equal(secondsOf(new Patience('whole', 60_000), { bytes: 1, everyMs: 500, mostSeconds: 1000 }), 120.5);
  assert.equal(
    secondsOf(new Patience('whole', 60_000), { bytes: 5000, everyMs: 1000, mostSeconds: 3600 }),
    Number.POSITIVE_INFINITY,
    'a slow line',
  );
});

test('a stream may go on for as long as it flows, and not for as long as it drips', () => {
  assert.equal(secondsOf(new Patience('stream', 60_000), { bytes: 150, everyMs: 1000, mostSeconds: 100_000 }), Number.POSITIVE_INFINITY);
  assert.equal(secondsOf(new Patience('stream', 60_000), { bytes: 1, everyMs: 500, mostSeconds: 1000 }), 60.5);
  const slowsDown = new Patience('stream', 60_000);
  assert.equal(secondsOf(slowsDown, { bytes: 1_000_000, everyMs: 1000, mostSeconds: 610 }), Number.POSITIVE_INFINITY);
  assert.ok(secondsOf(slowsDown, { bytes: 1, everyMs: 500, mostSeconds: 1000 }) < 125, 'what flowed once is no credit for ever');
});

test('what may be silent for ever may be slow for ever', () => {
  for (const kind of ['whole', 'stream'] as const)
    assert.equal(secondsOf(new Patience(kind, 0), { bytes: 0, everyMs: 60_000, mostSeconds: 100_000 }), Number.POSITIVE_INFINITY);
});
