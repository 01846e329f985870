import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { sha256 } from '../dag/cid.ts';
import { GatewayFailure } from '../gateway/failure.ts';
import { HeldStretch, StretchesAhead } from './stretches-ahead.ts';

/** Blocks of a shard, and how many bytes lie before each that nobody wants. */
function layoutOf(sizes: readonly number[], gaps: readonly number[]) {
  const blocks = sizes.map((size, number) => Buffer.alloc(size, `block ${number} `));
  const offsets = new Float64Array(sizes.length);
  let at = 0;
  const parts: Buffer[] = [];
  for (const [number, block] of blocks.entries()) {
    const gap = Buffer.alloc(gaps[number] ?? 0, 'gap ');
    parts.push(gap, block);
    offsets[number] = at + gap.length;
    at += gap.length + block.length;
  }
  const job = { lengths: Uint32Array.from(sizes), digests: Buffer.concat(blocks.map((block) => sha256(block))) };
  return { job, blocks, offsets, file: Buffer.concat(parts) };
}

test('wherever what comes is cut, breaks off or lies: a stretch gives its blocks as they are, and goes on behind the last good one', () => {
  const answer = fc.record({ bytes: fc.nat(400), piece: fc.integer({ min: 1, max: 200 }), wrongAt: fc.option(fc.nat(400)) });
  fc.assert(
    fc.property(
      fc.array(fc.constantFrom(0, 1, 40, 100), { minLength: 1, maxLength: 6 }),
      fc.array(fc.constantFrom(0, 0, 30), { maxLength: 6 }),
      fc.array(answer, { maxLength: 6 }),
      (sizes, gaps, answers) => {
        const { job, blocks, offsets, file } = layoutOf(sizes, gaps);
        const held = new HeldStretch(job, { first: 0, end: sizes.length, offsets });
        let good = 0;
        for (const { bytes, piece, wrongAt } of [...answers, { bytes: file.length, piece: file.length + 1, wrongAt: null }]) {
          if (held.isComplete) break;
          const { from, to } = held.begin();
          assert.ok(offsets.includes(from) && from >= (offsets[good] as number));
          const sent = Buffer.from(file.subarray(from, Math.min(to, from + bytes)));
          if (wrongAt !== null && wrongAt < sent.length) sent[wrongAt] = (sent[wrongAt] as number) ^ 1;
          try {
            for (let at = 0; at <= sent.length; at += piece) good += held.push(sent.subarray(at, at + piece));
          } catch (error) {
            assert.ok(error instanceof GatewayFailure && error.kind === 'lies' && wrongAt !== null);
            good = blocks.findIndex((_, number) => (offsets[number] as number) >= held.begin().from);
          }
        }
        assert.ok(held.isComplete);
        const given: Buffer[] = [];
        held.give(
          (block) => block % 2 === 0,
          (_, its) => given.push(Buffer.from(its)),
        );
        assert.deepEqual(
          given,
          blocks.filter((_, number) => number % 2 === 0),
        );
      },
    ),
  );
});

test('no more than eight stretches and six megabytes are on their way or held, and long ones are not', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.constantFrom(1, 1000, 1_000_000, 2_000_000, 3_000_000), { minLength: 1, maxLength: 30 }),
      async (sizes) => {
        const offsets = Float64Array.from(sizes, (_, number) => number * 10_000_000);
        const job = { lengths: Uint32Array.from(sizes), digests: Buffer.alloc(sizes.length * 32) };
        const stretches = sizes.map((_, first) => ({ first, end: first + 1, offsets }));
        const held = new Set<HeldStretch>();
        let bytes = 0;
        const sizeOf = (one: HeldStretch) => one.begin().to - one.begin().from;
        const ahead = new StretchesAhead(job, stretches, async (one) => {
          held.add(one);
          bytes += sizeOf(one);
          assert.ok(held.size <= 8 && bytes <= 6 * 1024 * 1024);
        });
        for (const [number, size] of sizes.entries()) {
          const one = await ahead.take(number);
          assert.equal(one === undefined, size > 2 * 1024 * 1024);
          if (one === undefined) continue;
          assert.equal(sizeOf(one), size);
          held.delete(one);
          bytes -= size;
        }
      },
    ),
  );
});
