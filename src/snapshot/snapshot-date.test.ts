import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { compactTime, endOfDate, snapshotAt } from './snapshot-date.ts';

const at = (number: number, time: string) => ({ number, time });

test('a date is a span, whose end counts', () => {
  const cases: [string, string | undefined][] = [
    ['2026-11-25', '2026-11-25T23:59:59.999Z'],
    ['2024-02-29', '2024-02-29T23:59:59.999Z'],
    ['20261125T120000Z', '2026-11-25T12:00:00.999Z'],
    ['20261125T1200Z', '2026-11-25T12:00:59.999Z'],
    ['20261125t120000', '2026-11-25T12:00:00.999Z'],
    ['2026-11-25T12:00Z', '2026-11-25T12:00:59.999Z'],
    ['2026-11-25T12:00:01', '2026-11-25T12:00:01.999Z'],
    ['2026-11-25T12:00:01.007Z', '2026-11-25T12:00:01.007Z'],
  ];
  for (const [text, end] of cases) assert.equal(new Date(endOfDate(text) ?? Number.NaN).toISOString(), end, text);
  const wrong = ['', '7', '20261125', '2026-11', '2026-11-31', '2026-13-01', '2025-02-29', '2026-11-25T24:00Z', '20261125T126000Z', 'x'];
  for (const text of [...wrong, '2026-11-25T12', ' 2026-11-25', '2026-11-25\n', '-026-11-25'])
    assert.equal(endOfDate(text), undefined, text);
});

test('a date means the newest snapshot that is not younger', () => {
  const snapshots = [at(3, '2026-11-24T10:00:00.000Z'), at(4, '2026-11-25T23:59:59.500Z'), at(7, '2026-11-26T00:00:00.000Z')];
  const cases: [string, number | undefined][] = [
    ['2026-11-23', undefined],
    ['2026-11-24', 3],
    ['20261125T120000Z', 3],
    ['20261125T235958Z', 3],
    ['20261125T235959Z', 4],
    ['2026-11-25', 4],
    ['20261126T000000Z', 7],
    ['2030-01-01', 7],
    ['4', 4],
    ['5', undefined],
    ['', undefined],
    ['newest', undefined],
  ];
  for (const [when, number] of cases) assert.equal(snapshotAt(snapshots, when)?.number, number, when);
});

test('the date of a snapshot, however it is written, leads to it or to one within the same span', () => {
  const times = fc.array(fc.integer({ min: 0, max: 400_000 }), { minLength: 1, maxLength: 12 });
  const start = Date.parse('2026-11-25T23:57:00.000Z');
  const law = fc.property(times, fc.nat(11), (offsets, which) => {
    const snapshots = offsets.sort((a, b) => a - b).map((offset, i) => at(i + 1, new Date(start + offset).toISOString()));
    const { time } = snapshots[which % snapshots.length] as { time: string };
    // A text names the span of all times that begin with it.
    for (const [text, prefix] of [
      [compactTime(time), time.slice(0, 19)],
      [time, time],
      [`${time.slice(0, 16)}Z`, time.slice(0, 16)],
      [time.slice(0, 10), time.slice(0, 10)],
    ] as const) {
      const slow = snapshots.filter((snapshot) => snapshot.time.slice(0, prefix.length) <= prefix).at(-1);
      assert.equal(snapshotAt(snapshots, text), slow, text);
    }
  });
  fc.assert(law);
});
