import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import fc from 'fast-check';
import { ShardctlError } from '../../core/errors.ts';
import { RangeRead } from './range-read.ts';
import { ReadAhead } from './read-ahead.ts';

const MIB = 1024 * 1024;
const PIECE_BYTES = 100_000;

/** A shard's file in which every byte tells its offset, the ranges that were asked for, and how many bytes of them were taken. */
function fileOf(lengths: readonly number[], breaks: (from: number, to: number) => boolean = () => false) {
  const total = lengths.reduce((sum, length) => sum + length, 0);
  const bytes = Buffer.alloc(total, Buffer.from(Array.from({ length: 251 }, (_, at) => at)));
  const ranges: [number, number][] = [];
  const taken = { bytes: 0 };
  const ahead = new ReadAhead(lengths, async function* (offset, length) {
    ranges.push([offset, length]);
    for (let at = offset; at < offset + length; at += PIECE_BYTES) {
      const end = Math.min(at + PIECE_BYTES, offset + length);
      if (breaks(at, end)) throw new ShardctlError('TOO_FEW_PEERS', 'cut off');
      taken.bytes += end - at;
      yield bytes.subarray(at, end);
    }
  });
  const block = (index: number) => {
    const offset = lengths.slice(0, index).reduce((sum, length) => sum + length, 0);
    return bytes.subarray(offset, offset + (lengths[index] ?? 0));
  };
  return { ahead, ranges, taken, block };
}

async function idle(): Promise<void> {
  for (let turn = 0; turn < 100; turn++) await setImmediate();
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

test('a tree in the order of its shard is read once, in ranges that grow', async () => {
  const { ahead, ranges, taken } = fileOf(Array.from({ length: 4000 }, () => 10_000));
  await ahead.block(0);
  let alone = 0;
  for (let i = 0; i < 4000; i += 2) for (const index of [i + 1, i]) if ((await ahead.block(index)) === undefined) alone++;
  assert.equal(alone, 0);
  assert.ok(ranges.length <= 8, `${ranges.length} questions`);
  assert.equal(taken.bytes, 40_000_000);
});

test('a directory that stands behind what is in it is read by itself, and moves nothing', async () => {
  const { ahead, ranges } = fileOf(Array.from({ length: 3000 }, () => 20_000));
  let alone = 0;
  for (let i = 0; i < 2400; i++) {
    if (i % 300 === 0) await ahead.block(i + 599);
    if ((await ahead.block(i)) === undefined) alone++;
  }
  assert.ok(alone <= 1 + 2400 / 300, `${alone} blocks`);
  assert.ok(ranges.length <= 8, `${ranges.length} questions`);
});

test('no more comes in than a few megabytes ahead of what is used', async () => {
  const { ahead, taken } = fileOf(Array.from({ length: 200 }, () => MIB));
  for (let i = 0; i < 70; i++) await ahead.block(i);
  await idle();
  assert.ok(taken.bytes <= 96 * MIB, `${taken.bytes} bytes`);
  const before = taken.bytes;
  ahead.close();
  await idle();
  assert.equal(taken.bytes, before);
});

test('where a range breaks off, another one is begun', async () => {
  let reached = 0;
  const { ahead, ranges } = fileOf(
    Array.from({ length: 60 }, () => MIB),
    (from, to) => from <= 20.5 * MIB && 20.5 * MIB < to && reached++ === 0,
  );
  const alone: number[] = [];
  for (let i = 0; i < 60; i++) if ((await ahead.block(i)) === undefined) alone.push(i);
  assert.equal(reached, 2);
  assert.deepEqual(alone, [0]);
  assert.ok(ranges.length <= 12, `${ranges.length} questions`);
});

test('whoever gives nothing is not asked again', async () => {
  const { ahead, ranges } = fileOf(
    Array.from({ length: 60 }, () => MIB),
    () => true,
  );
  for (let i = 0; i < 60; i++) assert.equal(await ahead.block(i), undefined);
  assert.ok(ranges.length <= 2);
});

test('blocks from everywhere are not worth a span each', async () => {
  const { ahead, ranges, taken } = fileOf(Array.from({ length: 4000 }, () => 20_000));
  for (let i = 0; i < 500; i++) await ahead.block((i * 1500) % 4000);
  assert.equal(ranges.length, 0);
  // Near each other, and yet no two of a span.
  for (let i = 0; i < 60; i++) await ahead.block(i * 60);
  await idle();
  assert.ok(taken.bytes <= 20 * MIB, `${taken.bytes} bytes`);
});

test('a range that goes on behind its end is given up there', async () => {
  let beyond = 0;
  let isCut = false;
  async function* endless(): AsyncGenerator<Buffer> {
    try {
      yield Buffer.alloc(3000, 1);
      for (; beyond < 10_000; beyond++) yield Buffer.alloc(1000, 2);
    } finally {
      isCut = true;
    }
  }
  const range = new RangeRead(0, [1000, 2000], endless());
  assert.deepEqual(await range.span(1), Buffer.alloc(2000, 1));
  await idle();
  assert.ok(isCut && beyond <= 1, `${beyond} pieces`);
});
