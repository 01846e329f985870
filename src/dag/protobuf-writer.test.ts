import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { PbReader } from './protobuf-reader.ts';
import { int64Length, VARINT, varintLength, writeInt64, writeVarint, writeVarintField } from './protobuf-writer.ts';

const wholeNumbers = fc.oneof(
  fc.maxSafeNat(),
  fc.nat(),
  fc.integer({ min: 0, max: 53 }).map((bits) => Math.min(2 ** bits, Number.MAX_SAFE_INTEGER)),
);

test('a varint is read as it was written, and is as long as was said', () => {
  fc.assert(
    fc.property(wholeNumbers, (value) => {
      const out = new Uint8Array(20);
      const end = writeVarintField(out, 0, 3, value);
      assert.equal(end, 1 + varintLength(value));
      const reader = new PbReader(out.subarray(0, end));
      assert.ok(reader.next());
      assert.equal(reader.field, 3);
      assert.equal(reader.number(), value);
      assert.ok(!reader.next());
    }),
  );
});

test('an int64 keeps its sign, and takes ten bytes when it is negative', () => {
  fc.assert(
    fc.property(fc.maxSafeInteger(), (value) => {
      const out = new Uint8Array(20);
      out[0] = (1 << 3) | VARINT;
      const end = writeInt64(out, 1, value);
      assert.equal(end, 1 + int64Length(value));
      if (value < 0) assert.equal(end, 11);
      const reader = new PbReader(out.subarray(0, end));
      reader.next();
      assert.equal(reader.int64(), BigInt(value));
    }),
  );
});

test('varints have the bytes that protobuf gives them', () => {
  const bytesOf = (value: number) => {
    const out = Buffer.alloc(10);
    return out.subarray(0, writeVarint(out, 0, value)).toString('hex');
  };
  assert.deepEqual([0, 127, 128, 300, 2 ** 31 - 1, 2 ** 31, 2 ** 32, Number.MAX_SAFE_INTEGER].map(bytesOf), [
    '00',
    '7f',
    '8001',
    'ac02',
    'ffffffff07',
    '8080808008',
    '8080808010',
    'ffffffffffffff0f',
  ]);
});
