/** Two versions of an index, held against the obvious comparison of all units of both. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { NoUnpacker, UnreadableIndex } from './claim.ts';
import { comparedUnits } from './compared-units.ts';
import type { Units } from './units.ts';

/** Units are told apart by their keys alone. */
interface Unit {
  readonly key: string;
}

const KEYS = { keyOf: ({ key }: Unit) => key, keep: ({ key }: Unit) => ({ key }) };

const key = fc.constantFrom(...'abcdefghijkl');
/** Parts of a version, some of them empty. */
const parts = fc.array(fc.array(key, { maxLength: 4 }), { maxLength: 6 });

async function* unitsOf(version: readonly (readonly string[])[], error?: Error): Units<Unit> {
  for (const part of version) yield part.map((name) => ({ key: name }));
  if (error !== undefined) throw error;
}

interface Found {
  both: string[];
  came: string[];
  went: string[];
  error?: unknown;
}

async function compare(now: Units<Unit>, before: Units<Unit> | undefined, most?: number): Promise<Found> {
  const found: Found = { both: [], came: [], went: [] };
  try {
    for await (const { both, came, went } of comparedUnits(KEYS, now, before, most)) {
      found.both.push(...both.flatMap((part) => [...part].map((unit) => unit.key)));
      found.came.push(...came.map((unit) => unit.key));
      found.went.push(...went.map((unit) => unit.key));
    }
  } catch (error) {
    found.error = error;
  }
  return found;
}

const sorted = (keys: Iterable<string>) => [...new Set(keys)].sort();
const without = (keys: readonly string[], others: readonly string[]) => sorted(keys.filter((one) => !others.includes(one)));

test('of versions that have each unit once, both, came and went are what a look at all of them says, in whatever order they stand', async () => {
  const once = fc.uniqueArray(key).chain((keys) => fc.array(fc.nat(3)).map((cuts) => cutInto(keys, cuts)));
  await fc.assert(
    fc.asyncProperty(once, once, async (before, now) => {
      const found = await compare(unitsOf(now), unitsOf(before));
      const [older, newer] = [before.flat(), now.flat()];
      assert.deepEqual(found.both.sort(), sorted(newer.filter((one) => older.includes(one))));
      assert.deepEqual(found.came.sort(), without(newer, older));
      assert.deepEqual(found.went.sort(), without(older, newer));
    }),
  );
});

test('however little may wait and however often a unit comes, none is lost, and none counts as known that the older version does not have', async () => {
  await fc.assert(
    fc.asyncProperty(parts, fc.option(parts, { nil: undefined }), fc.nat(6), async (now, before, most) => {
      const found = await compare(unitsOf(now), before && unitsOf(before), most);
      const [older, newer] = [before?.flat() ?? [], now.flat()];
      assert.deepEqual(sorted([...found.both, ...found.came]), sorted(newer));
      assert.deepEqual(without(found.both, older), []);
      assert.deepEqual(
        sorted([...found.both, ...found.went]).filter((one) => older.includes(one)),
        sorted(older),
      );
    }),
  );
});

test('a newer version that cannot be read to its end is compared as far as it goes; of an older one what came before its end counts', async () => {
  await fc.assert(
    fc.asyncProperty(parts, parts, fc.boolean(), async (now, before, isNewer) => {
      const error = isNewer ? new UnreadableIndex('torn') : new NoUnpacker('xz');
      const found = await compare(unitsOf(now, isNewer ? error : undefined), unitsOf(before, isNewer ? undefined : error));
      assert.equal(found.error, isNewer ? error : undefined);
      assert.deepEqual(without(now.flat(), before.flat()), without(found.came, before.flat()));
      assert.deepEqual(sorted([...found.both, ...found.came]), sorted(now.flat()));
    }),
  );
});

test('whoever stops, or meets another error, leaves neither version open', async () => {
  const closed: string[] = [];
  async function* noting(name: string): Units<Unit> {
    try {
      for (;;) yield [{ key: name }];
    } finally {
      closed.push(name);
    }
  }
  for await (const _ of comparedUnits(KEYS, noting('now'), noting('before'), 100)) break;
  assert.deepEqual(closed.sort(), ['before', 'now']);
  const failing = async () => {
    for await (const _ of comparedUnits(KEYS, unitsOf([['a']], new Error('of the disk')), noting('other'), 100));
  };
  await assert.rejects(failing, /of the disk/);
  assert.deepEqual(closed.sort(), ['before', 'now', 'other']);
});

function cutInto(keys: readonly string[], cuts: readonly number[]): string[][] {
  const left = [...keys];
  return [...cuts.map((count) => left.splice(0, count)), left];
}
