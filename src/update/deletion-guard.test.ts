import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { SnapshotRecord } from '../core/model.ts';
import { Directory } from '../walk/directory.ts';
import type { WalkStep } from '../walk/walk-step.ts';
import { Deletions, type DeletionsOptions, type MaxDelete } from './deletion-guard.ts';

/** A snapshot with so many entries besides its root. */
function snapshotOf(entries: number): SnapshotRecord {
  const counts = { files: entries, directories: 1, symlinks: 0 };
  return { number: 7, counts } as unknown as SnapshotRecord;
}

const names = (count: number) => Array.from({ length: count }, (_, i) => `f${i}`);

interface Case {
  readonly before: number;
  /** Entries of the root that are there now. */
  readonly now: number;
  readonly limit: MaxDelete | undefined;
  readonly compared: boolean;
  readonly stopAtOnce?: boolean;
}

/** Watches the walk of one directory in which the entries beyond `now` are gone. @returns the error that it ends with */
function watched({ before, now, limit, compared, stopAtOnce = true }: Case): { error: unknown; deletions: Deletions } {
  const options: DeletionsOptions = { repository: 'r', limit, parent: snapshotOf(before), compared, stopAtOnce };
  const deletions = new Deletions(options);
  const directory = new Directory('', undefined, -1, names(now));
  function* walk(): Generator<WalkStep> {
    yield { kind: 'enter', directory };
    // As compare does: it tells of what is gone behind the guard.
    yield { kind: 'leave', directory };
  }
  try {
    for (const step of deletions.watch(walk()))
      if (step.kind === 'enter' && compared) for (let gone = now; gone < before; gone++) deletions.note();
    return { error: undefined, deletions };
  } catch (error) {
    return { error, deletions };
  }
}

const limits = fc.oneof(
  fc.constant(undefined),
  fc.record({ entries: fc.nat(20) }),
  fc.record({ percent: fc.integer({ min: 0, max: 100 }) }),
);

test('a run is stopped exactly when more is gone than may be, or when all of it is gone, and says so', () => {
  const cases = fc.record({ before: fc.nat(20), now: fc.nat(20), limit: limits, compared: fc.boolean() });
  const law = fc.property(cases, ({ before, now, limit, compared }) => {
    const gone = Math.max(0, before - now);
    const most = limit === undefined ? Number.POSITIVE_INFINITY : 'entries' in limit ? limit.entries : (before * limit.percent) / 100;
    const isEmptied = before > 0 && now === 0;
    const { error, deletions } = watched({ before, now, limit, compared });
    const code = (error as { code?: string } | undefined)?.code;
    assert.equal(code, gone > most || (isEmptied && limit !== undefined) ? 'MAX_DELETE' : undefined);
    if (code === undefined) assert.equal(deletions.removed, gone);
    const later = watched({ before, now, limit, compared, stopAtOnce: false });
    assert.equal(later.error, undefined);
    assert.equal(later.deletions.removed, gone);
    assert.equal(later.deletions.excess?.code, code);
  });
  fc.assert(law);
});

test('an empty source is refused however many entries may go, and only a word for all of them helps', () => {
  const { error } = watched({ before: 5, now: 0, limit: { percent: 100 }, compared: true });
  assert.match(String(error), /the source is empty: 5 or more of the 5 entries of r@7 are gone/);
  assert.match((error as { hint: string }).hint, /--max-delete none$/);
  assert.equal(watched({ before: 5, now: 0, limit: undefined, compared: true }).error, undefined);
});
