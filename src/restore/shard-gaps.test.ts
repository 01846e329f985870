import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { askedAnew } from './shard-gaps.ts';

const KIB = 1024;

/** What comes in vain, and how many requests are made, when all blocks have `length` bytes. */
function costOf(gaps: readonly number[], length: number): { readonly inVain: number; readonly requests: number } {
  const offsets = [0];
  for (const gap of gaps) offsets.push((offsets.at(-1) as number) + length + gap);
  const anew = askedAnew(
    offsets,
    offsets.map(() => length),
  );
  return { inVain: gaps.reduce((sum, gap, i) => sum + (anew.has(i + 1) ? 0 : gap), 0), requests: 1 + anew.size };
}

function many(count: number, kib: number): number[] {
  return Array.from({ length: count }, () => kib * KIB);
}

test('where little comes in vain, a shard is read in one go', () => {
  assert.equal(costOf(many(64, 50), 1024 * KIB).requests, 1);
});

test('directories between the files of an update are not received a second time', () => {
  assert.ok(costOf(many(60, 50), 200 * KIB).inVain <= (61 * 200 * KIB) / 20);
});

test('thousands of gaps alike do not become thousands of requests', () => {
  assert.equal(costOf(many(10_000, 50), 50 * KIB).requests, 65);
});

test('no more than a twentieth comes in vain, except where that takes more than 64 requests, or gaps are short', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: 2048 }), { maxLength: 200 }), fc.integer({ min: 1, max: 512 }), (kib, length) => {
      const gaps = kib.map((gap) => gap * KIB);
      const { inVain, requests } = costOf(gaps, length * KIB);
      const allowed = ((gaps.length + 1) * length * KIB) / 20;
      const [long, short] = [gaps.filter((gap) => gap > KIB * KIB), gaps.filter((gap) => gap < 16 * KIB)];
      assert.ok(
        inVain <=
          Math.max(
            allowed,
            short.reduce((a, b) => a + b, 0),
          ) || requests === 65 + long.length,
      );
      assert.ok(requests > long.length && requests <= 65 + long.length);
    }),
  );
});
