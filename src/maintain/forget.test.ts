import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { SnapshotRecord } from '../core/model.ts';
import { type Policy, parseDuration } from '../home/retention.ts';
import { keep } from './forget.ts';

const NOW = Date.parse('2026-06-15T12:00:00Z');
const HOUR = 3_600_000;

function snapshots(...times: string[]): SnapshotRecord[] {
  return times.map((time, index) => ({
    repository: 'r',
    number: index + 1,
    cid: `cid${index}`,
    tree: 'tree',
    parent: null,
    time,
    counts: { files: 0, directories: 1, symlinks: 0 },
    bytes: 0,
    shards: [],
    catalogue: { cid: `catalogue${index}`, bytes: 0, blocks: 0, carBytes: 0, peers: [] },
    profile: 'unixfs-v1-2025',
    metadata: true,
    tool: 'shardctl test',
  }));
}

/** Kept numbers, newest first, with reasons; `head` of 0 is none, so that a rule shows alone. */
function kept(times: string[], policy: Policy, head = 0): string[] {
  return keep(snapshots(...times), policy, { head }, NOW)
    .filter(({ reasons }) => reasons.length > 0)
    .map(({ snapshot, reasons }) => `${snapshot.number}: ${reasons.join(', ')}`);
}

test('the newest of each hour, day, ISO week, month and year counts, in UTC', () => {
  const times = ['2025-12-28T10:00:00Z', '2025-12-29T10:00:00Z', '2026-01-04T09:10:00Z', '2026-01-04T09:50:00Z', '2026-01-05T00:10:00Z'];
  assert.deepEqual(kept(times, { last: 2 }), ['5: last', '4: last']);
  assert.deepEqual(kept(times, { hourly: 2 }), ['5: hourly', '4: hourly']);
  assert.deepEqual(kept(times, { daily: 3 }), ['5: daily', '4: daily', '2: daily']);
  // 29 December 2025 is the Monday of the week that 1 January 2026 is in.
  assert.deepEqual(kept(times, { weekly: 3 }), ['5: weekly', '4: weekly', '1: weekly']);
  assert.deepEqual(kept(times, { monthly: 2 }), ['5: monthly', '2: monthly']);
  assert.deepEqual(kept(times, { yearly: 2 }), ['5: yearly', '2: yearly']);
});

test('while a rule has counts left, the oldest snapshot stays', () => {
  const times = ['2026-01-01T00:00:00Z', '2026-01-02T00:00:00Z', '2026-01-03T00:00:00Z'];
  assert.deepEqual(kept(times, { monthly: 2 }), ['3: monthly', '1: oldest monthly']);
  assert.deepEqual(kept(times, { monthly: 1 }), ['3: monthly']);
});

test('keep-within counts by the calendar from the newest snapshot that is not from the future', () => {
  const times = ['2026-03-30T12:00:00Z', '2026-04-30T12:00:00Z', '2026-04-30T12:00:01Z', '2026-05-31T12:00:00Z', '2030-01-01T00:00:00Z'];
  // A month before 31 May is "31 April", which is 1 May: both April snapshots are older.
  assert.deepEqual(kept(times, { within: parseDuration('1m') }), ['5: within 1m', '4: within 1m']);
  assert.deepEqual(kept(times, { within: parseDuration('31d') }), ['5: within 31d', '4: within 31d', '3: within 31d']);
  assert.deepEqual(kept(times, { within: parseDuration('2y5m7d3h') }).length, 5);
});

test('rules add up, and each says why', () => {
  const times = ['2026-01-01T00:00:00Z', '2026-01-02T00:00:00Z', '2026-01-02T01:00:00Z'];
  assert.deepEqual(kept(times, { last: 1, daily: 2 }), ['3: last, daily', '1: daily']);
});

test('the head is kept whatever the policy says; without rules nothing else is', () => {
  const times = ['2026-01-01T00:00:00Z', '2026-01-02T00:00:00Z'];
  assert.deepEqual(kept(times, {}, 1), ['1: head']);
});

test('every snapshot at which the name may point is kept: also those to which several runs have failed to move it', () => {
  const times = ['2026-01-01T00:00:00Z', '2026-01-02T00:00:00Z', '2026-01-03T00:00:00Z', '2026-01-04T00:00:00Z', '2026-01-05T00:00:00Z'];
  const published = keep(snapshots(...times), {}, { head: 5, published: 1, publishing: [4, 2] }, NOW);
  assert.deepEqual(
    published.map(({ reasons }) => reasons),
    [['head'], ['published'], [], ['published'], ['published']],
  );
});

test('--keep-tag keeps each snapshot with one of the tags, and a tag alone keeps nothing', () => {
  const times = ['2026-01-01T00:00:00Z', '2026-01-02T00:00:00Z', '2026-01-03T00:00:00Z'];
  const tags = { a: 1, b: 1, c: 2 };
  const reasons = (policy: Policy) => keep(snapshots(...times), policy, { head: 0, tags }, NOW).map((it) => it.reasons);
  assert.deepEqual(reasons({ tags: ['a', 'b', 'x'] }), [[], [], ['tag a', 'tag b']]);
  assert.deepEqual(reasons({ last: 1 }), [['last'], [], []]);
});

test('a rule keeps as many as it says where there are enough, and asking for more never keeps less', () => {
  const ages = fc.uniqueArray(fc.integer({ min: 0, max: 20_000 }), { minLength: 1, maxLength: 40 });
  const count = fc.option(fc.integer({ min: 0, max: 12 }), { nil: undefined });
  const policies = fc.record({ last: count, hourly: count, daily: count, weekly: count, monthly: count, yearly: count });
  fc.assert(
    fc.property(ages, policies, fc.integer({ min: 1, max: 5 }), (hours, policy, more) => {
      const all = snapshots(...hours.map((age) => new Date(NOW - age * HOUR).toISOString()));
      const keptBy = (asked: Policy) =>
        new Set(
          keep(all, asked, { head: 0 }, NOW)
            .filter(({ reasons }) => reasons.length > 0)
            .map(({ snapshot }) => snapshot.number),
        );
      const some = keptBy(policy);
      if (policy.last !== undefined) assert.equal(keptBy({ last: policy.last }).size, Math.min(policy.last, all.length));
      const wider = keptBy({ ...policy, last: (policy.last ?? 0) + more });
      for (const number of some) assert.ok(wider.has(number));
    }),
  );
});
