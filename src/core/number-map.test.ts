import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { NumberMap } from './number-map.ts';

test('a number map holds what a Map would', () => {
  const numbers = fc.oneof(fc.nat(20), fc.nat(100_000), fc.constantFrom(1023, 1024, 2047, 2048));
  const values = fc.oneof(fc.nat(3), fc.constantFrom(0, 2 ** 32 - 2));
  fc.assert(
    fc.property(fc.array(fc.tuple(numbers, values)), fc.array(numbers), (entries, asked) => {
      const map = new NumberMap();
      const model = new Map<number, number>();
      for (const [number, value] of entries) {
        map.set(number, value);
        model.set(number, value);
      }
      for (const number of [...asked, ...model.keys()]) {
        assert.equal(map.get(number), model.get(number));
        assert.equal(map.has(number), model.has(number));
      }
    }),
  );
});
