import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ShardctlError } from '../../core/errors.ts';
import { Failures } from './failures.ts';

const SILENT = new ShardctlError('TOO_FEW_PEERS', 'no answer');
const MINUTE_MS = 60_000;

test('a silent peer is asked again by one at a time, after pauses that grow to a minute', () => {
  let now = 0;
  const failures = new Failures(() => now);
  failures.noteSilence('p', SILENT);
  const asked: number[] = [];
  for (; now < 10 * MINUTE_MS; now += 100) {
    if (failures.silenceOf('p') !== undefined) continue;
    assert.equal(failures.silenceOf('p'), SILENT, 'a second one does not ask as well');
    asked.push(now);
    failures.noteSilence('p', SILENT);
  }
  assert.deepEqual(asked.slice(0, 3), [1000, 3000, 7000]);
  assert.equal((asked.at(-1) as number) - (asked.at(-2) as number), MINUTE_MS);
});

test('requests that end without an answer together count as one silence', () => {
  let now = 0;
  const failures = new Failures(() => now);
  for (let i = 0; i < 50; i++) failures.noteSilence('p', SILENT);
  now = 1000;
  assert.equal(failures.silenceOf('p'), undefined);
});

test('a peer that answers is silent no more, and its next silence is news', () => {
  const failures = new Failures(() => 0);
  failures.noteSilence('p', SILENT);
  assert.deepEqual([failures.isNews('p'), failures.isNews('p')], [true, false]);
  failures.answered('p');
  assert.deepEqual([failures.silenceOf('p'), failures.isSilent('p'), failures.isNews('p')], [undefined, false, true]);
});

test('what failed on a peer is forgotten after a minute, and trouble that goes on is told once a day', () => {
  let now = 0;
  const failures = new Failures(() => now);
  const error = new ShardctlError('DAMAGE', 'bad');
  failures.note('p', 'shard', error);
  assert.equal(failures.of('p', 'shard'), error);
  assert.equal(failures.of('q', 'shard'), undefined);
  assert.ok(failures.isNews('bad'));
  now += MINUTE_MS;
  assert.equal(failures.of('p', 'shard'), undefined);
  assert.ok(!failures.isNews('bad'));
  now += 24 * 60 * MINUTE_MS;
  assert.ok(failures.isNews('bad'));
});

test('however much fails, a bounded number of failures is remembered: the latest ones', () => {
  const failures = new Failures(() => 0);
  for (let i = 0; i < 10_000; i++) failures.note('p', `block ${i}`, SILENT);
  assert.equal(failures.of('p', 'block 0'), undefined);
  assert.equal(failures.of('p', 'block 9999'), SILENT);
});
