import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { DIGEST_BYTES, MAX_SHARD_BLOCKS } from '../../core/model.ts';
import { digestsOf, eachDigest, someColliding } from '../../testing/colliding.ts';
import { PREFIX_BYTES, RECORD_BYTES, sortedRecords } from './records.ts';

test('records are the digests of a shard in byte order, each with its number', () => {
  fc.assert(
    fc.property(someColliding, fc.nat(2 ** 32 - 1), (pick, shard) => {
      const digests = digestsOf(pick);
      const expected = [...eachDigest(digests)].map((digest) => digest.toString('hex', 0, PREFIX_BYTES)).sort();
      const records = sortedRecords(shard, digests);
      assert.equal(records.length, expected.length * RECORD_BYTES);
      for (let i = 0; i < expected.length; i++) {
        assert.equal(records.toString('hex', i * RECORD_BYTES, i * RECORD_BYTES + PREFIX_BYTES), expected[i]);
        assert.equal(records.readUInt32LE(i * RECORD_BYTES + PREFIX_BYTES), shard);
      }
    }),
  );
});

test('a shard of more blocks than ours have is sorted, too: a stranger may bring one', () => {
  const count = 2 ** 21 + 1000;
  const digests = Buffer.alloc(count * DIGEST_BYTES);
  for (let i = 0; i < count; i++) {
    digests.writeUInt32BE(Math.imul(i, 0x9e37_79b1) >>> 0, i * DIGEST_BYTES);
    digests.writeUInt32BE(i, i * DIGEST_BYTES + 4);
  }
  const records = sortedRecords(7, digests);
  const seen = new Uint8Array(count);
  let before = -1;
  for (let at = 0; at < records.length; at += RECORD_BYTES) {
    const key = records.readUInt32BE(at);
    const i = records.readUInt32BE(at + 4);
    if (key < before || seen[i] !== 0 || key !== Math.imul(i, 0x9e37_79b1) >>> 0) assert.fail(`block ${i} at ${at}`);
    before = key;
    seen[i] = 1;
  }
});

test('a number holds the key and the position of the last block that a shard may have', () => {
  assert.ok(Number.isSafeInteger((0xffff_ffff >>> 3) * MAX_SHARD_BLOCKS + MAX_SHARD_BLOCKS - 1));
  const tooMany = { length: (MAX_SHARD_BLOCKS + 1) * DIGEST_BYTES } as Buffer;
  assert.throws(() => sortedRecords(0, tooMany), RangeError);
});
