import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Pace } from './pace.ts';

function world() {
  const clock = { now: 0 };
  return { clock, pace: new Pace(2_000, () => clock.now) };
}

test('a peer lags that takes four times as long as the others would, by their bytes a second', () => {
  const { clock, pace } = world();
  const done = pace.begin('fast', { bytes: 1_000, blocks: 1 });
  clock.now = 1_000;
  pace.end(done, true);
  const slow = pace.begin('slow', { bytes: 2_000, blocks: 1 });
  clock.now = 1_000 + 8_000;
  assert.equal(pace.isLagging(slow), false);
  clock.now += 1;
  assert.deepEqual(pace.lagging(), new Set(['slow']));
  pace.end(slow, false);
  assert.deepEqual(pace.lagging(), new Set());
});

test('nobody lags within the patience, however fast the others are', () => {
  const { clock, pace } = world();
  const fast = pace.begin('fast', { bytes: 1_000, blocks: 1 });
  clock.now = 1;
  pace.end(fast, true);
  const other = pace.begin('other', { bytes: 1_000, blocks: 1 });
  clock.now = 2_001;
  assert.equal(pace.isLagging(other), false);
  clock.now = 2_002;
  assert.equal(pace.isLagging(other), true);
});

test('while nobody else has shown how fast a peer can be, patience is longer', () => {
  const { clock, pace } = world();
  const first = pace.begin('only', { bytes: 1_000, blocks: 1 });
  clock.now = 20_000;
  assert.equal(pace.isLagging(first), false);
  clock.now = 20_001;
  assert.equal(pace.isLagging(first), true);
});

test('an upload that failed says nothing of how fast its peer is', () => {
  const { clock, pace } = world();
  pace.end(pace.begin('broken', { bytes: 1_000_000, blocks: 1 }), false);
  const upload = pace.begin('other', { bytes: 1, blocks: 1 });
  clock.now = 10_000;
  assert.equal(pace.isLagging(upload), false);
});

test('a shard of many small blocks may take as long as that many blocks took the others', () => {
  const { clock, pace } = world();
  const few = pace.begin('other', { bytes: 1_000_000, blocks: 10 });
  clock.now = 1_000;
  pace.end(few, true);
  const many = pace.begin('peer', { bytes: 1_000_000, blocks: 1_000 });
  clock.now = 1_000 + 400_000;
  assert.equal(pace.isLagging(many), false);
  clock.now += 1;
  assert.equal(pace.isLagging(many), true);
});
