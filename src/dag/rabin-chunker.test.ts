import assert from 'node:assert/strict';
import { createCipheriv } from 'node:crypto';
import { test } from 'node:test';
import fc from 'fast-check';
import { rabinChunker } from './rabin-chunker.ts';

const NOISE = createCipheriv('aes-128-ctr', Buffer.alloc(16), Buffer.alloc(16)).update(Buffer.alloc(200_000));

test('the cuts depend on the bytes, not on the pieces in which they come, and keep to the bounds', async () => {
  const law = fc.asyncProperty(
    fc.integer({ min: 16, max: 2000 }),
    fc.nat(2000),
    fc.nat(4000),
    fc.nat(NOISE.length),
    fc.array(fc.integer({ min: 1, max: 30_000 }), { minLength: 1, maxLength: 5 }),
    async (min, more, most, length, pieces) => {
      const options = { min, avg: min + more, max: min + more + most };
      const bytes = NOISE.subarray(0, length);
      const whole = await chunks(bytes, [length + 1], options);
      assert.deepEqual(await chunks(bytes, pieces, options), whole);
      assert.deepEqual(Buffer.concat(whole), bytes);
      for (const chunk of whole) assert.ok(chunk.length <= options.max);
      for (const chunk of whole.slice(0, -1)) assert.ok(chunk.length >= min);
    },
  );
  await fc.assert(law, { numRuns: 50 });
});

test('equal stretches of two files end in equal chunks', async () => {
  const options = { min: 256, avg: 1024, max: 8192 };
  const one = await chunks(NOISE, [50_000], options);
  const other = await chunks(Buffer.concat([Buffer.from('something else in front'), NOISE]), [50_000], options);
  const known = new Set(one.map((chunk) => chunk.toString('hex')));
  assert.ok(other.filter((chunk) => known.has(chunk.toString('hex'))).length > one.length * 0.9);
});

async function chunks(bytes: Buffer, pieces: readonly number[], options: { min: number; avg: number; max: number }): Promise<Buffer[]> {
  const found: Buffer[] = [];
  for await (const chunk of rabinChunker(options)(cut(bytes, pieces))) found.push(Buffer.from(chunk));
  return found;
}

async function* cut(bytes: Buffer, pieces: readonly number[]): AsyncGenerator<Buffer, void, void> {
  for (let at = 0; ; ) {
    for (const piece of pieces) {
      if (at >= bytes.length) return;
      yield bytes.subarray(at, at + piece);
      at += piece;
    }
  }
}
