import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { BlockSet } from '../../core/block-set.ts';
import { DAG_PB, RAW } from '../../core/model.ts';
import { sha256 } from '../../dag/cid.ts';
import { COLLIDING, digestsOf, eachDigest, someColliding } from '../../testing/colliding.ts';
import { Traces, traceOf } from './traces.ts';

test('traces tell blocks apart as their whole digests do, also those that share their first bytes', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(someColliding, fc.constantFrom(RAW, DAG_PB)), { maxLength: 6 }), (picks) => {
      const traces = new Traces();
      const model = new BlockSet();
      for (const [pick, codec] of picks) {
        for (const digest of eachDigest(digestsOf(pick))) assert.equal(traces.add({ codec, digest }), model.add({ codec, digest }));
      }
      assert.equal(traces.size, model.size);
      for (const digest of COLLIDING) assert.equal(traces.has(traceOf(digest)), model.digests.get(digest) !== undefined);
    }),
    { numRuns: 50 },
  );
});

test('a million blocks take at most 16 bytes each', () => {
  const traces = new Traces();
  const digest = Buffer.from(sha256(Buffer.from('x')));
  for (let at = 0; at < 1_000_000; at++) {
    digest.writeUInt32LE(at);
    traces.add({ codec: RAW, digest });
  }
  assert.equal(traces.size, 1_000_000);
  assert.ok(traces.bytes <= 16 * traces.size, String(traces.bytes));
});
