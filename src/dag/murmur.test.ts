import assert from 'node:assert/strict';
import { test } from 'node:test';
import { murmur364 } from '@multiformats/murmur3';
import fc from 'fast-check';
import { hashName } from './murmur.ts';

test('the hash of any byte string is that of @multiformats/murmur3', () => {
  const [highs, lows] = [new Uint32Array(1), new Uint32Array(1)];
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 70 }), (bytes) => {
      hashName(Buffer.from(bytes).toString('latin1'), highs, lows, 0);
      const expected = Buffer.from(murmur364.encode(bytes) as Uint8Array);
      assert.deepEqual([highs[0], lows[0]], [expected.readUInt32BE(0), expected.readUInt32BE(4)]);
    }),
    { numRuns: 2000 },
  );
});
