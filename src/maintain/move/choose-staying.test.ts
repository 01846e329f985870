import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { chooseStaying, type Replica } from './choose-staying.ts';

const MIB = 2 ** 20;

const replica = (name: string, changes: Partial<Replica> = {}): Replica => ({
  name,
  tags: { zone: name.charAt(0) },
  usedBytes: 100 * MIB,
  freeBytes: 1_000 * MIB,
  promisedBytes: 0,
  reserveBytes: 0,
  weight: 1,
  givenBytes: 0,
  phase: 0,
  lagging: false,
  isDamaged: false,
  isShared: false,
  isRecorded: true,
  isDrained: false,
  ...changes,
});
const names = (replicas: readonly Replica[]) => replicas.map(({ name }) => name).sort();

const world = fc.record({
  replicas: fc.uniqueArray(
    fc.record({
      name: fc.constantFrom('a1', 'a2', 'a3', 'b1', 'b2', 'c1', 'c2'),
      isDamaged: fc.boolean(),
      isShared: fc.boolean(),
      isRecorded: fc.boolean(),
      isDrained: fc.boolean(),
      usedBytes: fc.integer({ min: 0, max: 4 }).map((n) => n * 100 * MIB),
    }),
    { selector: ({ name }) => name },
  ),
  least: fc.integer({ min: 1, max: 4 }),
  spare: fc.integer({ min: 0, max: 2 }),
  isSpread: fc.boolean(),
  onlyFirst: fc.boolean(),
});

/** All ways in which some of them may go. */
function* subsets<T>(items: readonly T[]): Generator<T[]> {
  for (let mask = 0; mask < 2 ** items.length; mask++) yield items.filter((_, i) => ((mask >> i) & 1) === 1);
}

test('what stays is what the slow way finds: no copy that another home needs goes, damaged ones go first, and zones stay apart', () => {
  fc.assert(
    fc.property(world, ({ replicas: some, least, spare, isSpread, onlyFirst }) => {
      const replicas = some.map(({ name, ...changes }) => replica(name, changes));
      const most = least + spare;
      const allowed = ['a1', 'a2', 'b1', 'c1'];
      const allocateBy = [...(onlyFirst ? [`pinned-to:${allowed.join('+')}`] : []), ...(isSpread ? ['tag:zone'] : [])];
      const { stay, go } = chooseStaying({ replicas, least, most, allocateBy });
      assert.deepEqual(names([...stay, ...go]), names(replicas));

      const isGood = ({ isDamaged, isRecorded }: Replica) => !isDamaged && isRecorded;
      const good = (of: readonly Replica[]) => of.filter(isGood).length;
      if (replicas.length <= most || good(replicas) < least) return assert.deepEqual(go, []);
      // The slow way: every set that keeps what must stay, is no larger than it need be, and is worst in nothing that decides.
      const mayGo = replicas.filter(({ isShared }) => !isShared);
      const sound = [...subsets(mayGo)]
        .map((gone) => replicas.filter((it) => !gone.includes(it)))
        .filter((left) => left.length >= most && good(left) >= least);
      const size = Math.min(...sound.map((left) => left.length));
      const smallest = sound.filter((left) => left.length === size);
      const best = (of: readonly Replica[][], worth: (left: readonly Replica[]) => number) => {
        const most = Math.max(...of.map(worth));
        return of.filter((left) => worth(left) === most);
      };
      const count = (is: (it: Replica) => boolean) => (left: readonly Replica[]) => left.filter(is).length;
      let sets = best(
        smallest,
        count(({ isDamaged }) => !isDamaged),
      );
      sets = best(sets, count(isGood));
      sets = best(
        sets,
        count((it) => isGood(it) && !it.isDrained),
      );
      if (onlyFirst)
        sets = best(
          sets,
          count((it) => isGood(it) && !it.isDrained && allowed.includes(it.name)),
        );
      const zones = (left: readonly Replica[]) => new Set(left.map(({ tags }) => tags.zone)).size;
      assert.equal(stay.length, size);
      assert.ok(go.every(({ isShared }) => !isShared));
      assert.ok(good(stay) >= least);
      assert.equal(good(stay), good(sets[0] as Replica[]));
      // Where a rule has a say at all: among those that are alike in what comes before it.
      const alike = replicas.every((it) => isGood(it) && !it.isDrained && (!onlyFirst || allowed.includes(it.name)));
      if (isSpread && alike) assert.equal(zones(stay), Math.max(...sets.map(zones)));
    }),
    { numRuns: 2_000 },
  );
});

test('of two that are alike the one on the fuller peer goes, by its share where weights decide', () => {
  const replicas = [replica('a1', { usedBytes: 500 * MIB, weight: 9 }), replica('a2', { usedBytes: 200 * MIB }), replica('a3')];
  assert.deepEqual(names(chooseStaying({ replicas, least: 1, most: 2, allocateBy: ['freespace'] }).go), ['a1']);
  assert.deepEqual(names(chooseStaying({ replicas, least: 1, most: 2, allocateBy: ['weight'] }).go), ['a2']);
});

test('a copy that no record names goes before one that counts, and one that was read to its end stays', () => {
  const replicas = [replica('a1', { usedBytes: 900 * MIB }), replica('b1', { usedBytes: 800 * MIB }), replica('c1', { isRecorded: false })];
  assert.deepEqual(names(chooseStaying({ replicas, least: 1, most: 2, allocateBy: [] }).go), ['c1']);
  assert.deepEqual(names(chooseStaying({ replicas, least: 1, most: 1, allocateBy: [], witness: 'a1' }).go), ['b1', 'c1']);
});
