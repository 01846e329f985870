import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Schedule } from './schedule.ts';

const MIN = 60_000;
const HOUR = 60 * MIN;
const PACE = { settleMs: 5000, maxWaitMs: HOUR, fullEveryMs: 24 * HOUR, everyMs: 2 * HOUR };

/** One that has looked at everything at 0, and found it well. */
function settled(): Schedule {
  const schedule = new Schedule(PACE, 0);
  assert.equal(schedule.due(0), 'full');
  schedule.began(0, 'full', false);
  assert.equal(schedule.ended(0, 'full', 'done'), undefined);
  return schedule;
}

test('an update is due when nothing has changed for a while, or something has waited long enough', () => {
  const schedule = settled();
  assert.equal(schedule.next(1000), 24 * HOUR);
  schedule.changed(1000);
  schedule.changed(4000);
  assert.deepEqual([schedule.due(8999), schedule.next(8999), schedule.due(9000)], [undefined, 9000, 'told']);
  for (let now = 9000; now < HOUR + 1000; now += 1000) schedule.changed(now);
  assert.deepEqual([schedule.due(HOUR + 999), schedule.due(HOUR + 1000), schedule.isOverdue(HOUR + 1000)], [undefined, 'told', true]);
});

test('a sync that goes on is waited for, but no longer than that', () => {
  const schedule = new Schedule({ ...PACE, settleMs: 0 }, 0);
  schedule.began(0, 'full', false);
  schedule.changed(1000);
  assert.deepEqual([schedule.due(1000), schedule.isOverdue(1000)], ['told', false]);
  schedule.hold(1000);
  // Without a time to settle it is not looked for without end.
  assert.deepEqual([schedule.due(1999), schedule.next(1999)], [undefined, 2000]);
  assert.equal(schedule.isOverdue(1000 + HOUR), true);
});

test('everything is looked at after doubts, after so long, and when somebody asks', () => {
  const doubted = settled();
  doubted.doubt(1000);
  assert.equal(doubted.due(1000), 'full');
  const old = settled();
  old.changed(24 * HOUR - 4000);
  assert.equal(old.due(24 * HOUR + 1000), 'full');
  const asked = settled();
  asked.changed(1000);
  asked.ask();
  assert.deepEqual([asked.due(1000), asked.isOverdue(1000), asked.next(1000)], ['full', true, 1000]);
  const deaf = new Schedule(PACE, 0);
  deaf.began(0, 'full', true);
  assert.deepEqual([deaf.next(1), deaf.due(2 * HOUR)], [2 * HOUR, 'full']);
});

test('a failure is tried again after a minute, then after ever longer, and whoever asks does not wait', () => {
  const schedule = settled();
  const pauses: (number | undefined)[] = [];
  let now = 1000;
  for (let i = 0; i < 8; i++) {
    schedule.began(now, 'told', false);
    const pause = schedule.ended(now, 'told', 'failed') as number;
    assert.deepEqual([schedule.due(now + pause - 1), schedule.due(now + pause)], [undefined, 'full']);
    pauses.push(pause / MIN);
    now += pause;
  }
  assert.deepEqual(pauses, [1, 2, 4, 8, 16, 32, 60, 60]);
  schedule.ask();
  assert.equal(schedule.due(now), 'full');
  schedule.began(now, 'full', false);
  schedule.ended(now, 'full', 'done');
  assert.equal(schedule.ended(now, 'told', 'failed'), MIN);
});

test('what could not be read is looked for again without keeping new changes waiting', () => {
  const schedule = settled();
  schedule.changed(1000);
  schedule.began(6000, 'told', false);
  assert.equal(schedule.ended(7000, 'told', 'again'), MIN);
  schedule.changed(8000);
  assert.equal(schedule.due(13_000), 'told');
  schedule.began(13_000, 'told', false);
  // A list without it does not say that all is well.
  schedule.ended(13_000, 'told', 'done');
  assert.deepEqual([schedule.due(7000 + MIN - 1), schedule.due(7000 + MIN)], [undefined, 'full']);
  schedule.began(7000 + MIN, 'full', false);
  assert.equal(schedule.ended(7000 + MIN, 'full', 'again'), 2 * MIN);
});

test('whatever happens, a change is told within the longest wait and the pause after a failure, and nothing is due without a reason', () => {
  const step = fc.record({ ms: fc.nat(2 * HOUR), what: fc.constantFrom('change', 'doubt', 'hold', 'fail', 'again', 'done', 'wait') });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
      const schedule = settled();
      let now = 0;
      let since: number | undefined;
      let endedAt = 0;
      for (const { ms, what } of steps) {
        now += ms;
        if (what === 'change') {
          schedule.changed(now);
          since ??= now;
        } else if (what === 'doubt') {
          schedule.doubt(now);
          since ??= now;
        } else if (what === 'hold') schedule.hold(now);
        const due = schedule.due(now);
        assert.ok(due === undefined || schedule.next(now) <= now);
        if (since !== undefined && now >= Math.max(since + PACE.maxWaitMs, endedAt + HOUR)) assert.notEqual(due, undefined);
        if (due === undefined || what === 'wait') continue;
        schedule.began(now, due, false);
        since = undefined;
        schedule.ended(now, due, what === 'fail' ? 'failed' : what === 'again' ? 'again' : 'done');
        if (what === 'fail') since = now;
        endedAt = now;
      }
    }),
  );
});
