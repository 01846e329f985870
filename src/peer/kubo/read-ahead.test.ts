import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ReadAhead } from './read-ahead.ts';

/** A shard's file in which every byte tells its offset, and the ranges that were asked for. */
function fileOf(lengths: readonly number[]) {
  const bytes = Buffer.from(Array.from({ length: lengths.reduce((sum, length) => sum + length, 0) }, (_, at) => at % 251));
  const ranges: [number, number][] = [];
  const ahead = new ReadAhead(lengths, async (offset, length) => {
    ranges.push([offset, length]);
    return bytes.subarray(offset, offset + length);
  });
  const block = (index: number) => {
    const offset = lengths.slice(0, index).reduce((sum, length) => sum + length, 0);
    return bytes.subarray(offset, offset + (lengths[index] as number));
  };
  return { ahead, ranges, block };
}

test('whatever is read in whatever order is the right part of the file', async () => {
  const lengths = fc.array(fc.oneof(fc.integer({ min: 0, max: 300 }), fc.integer({ min: 0, max: 700_000 })), {
    minLength: 1,
    maxLength: 12,
  });
  await fc.assert(
    fc.asyncProperty(lengths, fc.array(fc.nat(), { maxLength: 30 }), async (sizes, order) => {
      const { ahead, block } = fileOf(sizes);
      for (const wish of order) {
        const index = wish % sizes.length;
        const read = await ahead.block(index);
        if (read !== undefined) assert.ok(read.equals(block(index)));
      }
    }),
    { numRuns: 40 },
  );
});

test('a tree in the order of its shard is read once, in runs', async () => {
  const { ahead, ranges } = fileOf(Array.from({ length: 2000 }, () => 5000));
  await ahead.block(0);
  for (let i = 0; i < 2000; i += 2) for (const index of [i + 1, i]) await ahead.block(index);
  assert.ok(ranges.length <= 11);
  assert.equal(new Set(ranges.map(([offset]) => offset)).size, ranges.length);
});

test('blocks from everywhere are not worth a run each', async () => {
  const { ahead, ranges } = fileOf(Array.from({ length: 4000 }, () => 20_000));
  for (let i = 0; i < 500; i++) await ahead.block((i * 1500) % 4000);
  assert.equal(ranges.length, 0);
  // Near each other, and yet no two of a run.
  for (let i = 0; i < 60; i++) await ahead.block(i * 60);
  assert.ok(ranges.length <= 12);
});
