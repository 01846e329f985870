import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { IntactPlaces } from './intact-places.ts';

const WAYS = 4;
const SLOTS = 2 * WAYS;
/** Digests that meet in slots, and some that differ in one byte alone. */
const digest = fc
  .tuple(fc.integer({ min: 0, max: 2 * SLOTS }), fc.constantFrom(4, 17, 31), fc.integer({ min: 0, max: 1 }))
  .map(([first, at, byte]) => {
    const bytes = Buffer.alloc(32);
    bytes[0] = first;
    bytes[at] = byte;
    return bytes;
  });
const place = fc.record({
  digest,
  file: fc.integer({ min: 1, max: 2 }),
  at: fc.constantFrom(0, 59, 2 ** 32, 2 ** 32 + 59, 2 ** 33, Number.MAX_SAFE_INTEGER),
});
const step = fc.record({ place, isNote: fc.boolean(), passes: fc.constantFrom(0, 1, 300, 599, 600) });
const hex = (digest: Buffer) => digest.toString('hex');
const placeOf = ({ file, at }: { readonly file: number; readonly at: number }) => `${file} ${at}`;

test('a place counts when the block was noted there last, in the last ten minutes, unless four others have taken its slots since', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
      const places = new IntactPlaces(SLOTS);
      /** By block: where it was noted last, when, and which blocks of its slots were noted since. */
      const noted = new Map<
        string,
        { readonly place: string; readonly second: number; readonly since: Set<string>; readonly set: number }
      >();
      let second = 5;
      for (const { place, isNote, passes } of steps) {
        second += passes;
        const { digest, file, at } = place;
        const last = noted.get(hex(digest));
        const isTrue = last?.place === placeOf(place) && second - last.second < 600;
        const counts = places.has(digest, file, at, second);
        if (!isTrue) assert.equal(counts, false);
        else if (last.since.size < WAYS) assert.equal(counts, true);
        if (!isNote) continue;
        places.note(digest, file, at, second);
        const set = Math.floor(((digest[0] as number) % SLOTS) / WAYS);
        noted.set(hex(digest), { place: placeOf(place), second, since: new Set(), set });
        for (const [other, { since, set: its }] of noted) if (its === set && other !== hex(digest)) since.add(hex(digest));
      }
    }),
  );
});

test('of more blocks than have slots, those that were noted last count', () => {
  const places = new IntactPlaces(WAYS);
  const blocks = Array.from({ length: WAYS + 2 }, (_, number) => Buffer.alloc(32, number));
  for (const [second, block] of blocks.entries()) places.note(block, 1, 0, second);
  assert.deepEqual(
    blocks.map((block) => places.has(block, 1, 0, 10)),
    [false, false, true, true, true, true],
  );
});
