import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { REQUEST_HEADER_BYTES, type Request, requestIn } from './requests.ts';

/** A request as the kernel sends it. */
function request(opcode: number, body: Buffer, node = 1): Buffer {
  const bytes = Buffer.alloc(REQUEST_HEADER_BYTES + body.length);
  bytes.writeUInt32LE(bytes.length, 0);
  bytes.writeUInt32LE(opcode, 4);
  bytes.writeBigUInt64LE(6n, 8);
  bytes.writeBigUInt64LE(BigInt(node), 16);
  body.copy(bytes, REQUEST_HEADER_BYTES);
  return bytes;
}

function u64s(...values: (number | bigint)[]): Buffer {
  const bytes = Buffer.alloc(8 * values.length);
  for (const [at, value] of values.entries()) bytes.writeBigUInt64LE(BigInt(value), 8 * at);
  return bytes;
}

/** Of one session with Linux 6.18: `ls -la`, `cat`, `readlink`, `df`, and the caches dropped. Header and body. */
const RECORDED: readonly (readonly [string, string, Request])[] = [
  [
    '68000000 1a000000 0200000000000000 0000000000000000 00000000 00000000 00000000 00000000',
    `07000000 2d000000 00000200 fbffff73 fd050000 ${'00000000'.repeat(11)}`,
    { unique: 2, node: 0, kind: 'init', major: 7, minor: 45, maxReadahead: 128 * 1024, flags: 0x73fffffb },
  ],
  [
    '38000000 03000000 0400000000000000 0100000000000000 00000000 00000000 9c030000 00000000',
    '00000000 00000000 0000000000000000',
    { unique: 4, node: 1, kind: 'getattr' },
  ],
  [
    '41000000 16000000 0600000000000000 0100000000000000 00000000 00000000 9c030000 00000000',
    'ff000000 00000000 73656375726974792e73656c696e757800',
    { unique: 6, node: 1, kind: 'other' },
  ],
  [
    '30000000 1b000000 0800000000000000 0100000000000000 00000000 00000000 9c030000 00000000',
    '88010000 00000000',
    { unique: 8, node: 1, kind: 'opendir' },
  ],
  [
    '50000000 2c000000 0e00000000000000 0100000000000000 00000000 00000000 9c030000 00000000',
    '0100000000000000 0400000000000000 00800000 00000000 0000000000000000 88010000 00000000',
    { unique: 14, node: 1, kind: 'readdirplus', handle: 1, offset: 4, size: 32 * 1024 },
  ],
  [
    '28000000 05000000 0c00000000000000 0200000000000000 00000000 00000000 9c030000 00000000',
    '',
    { unique: 12, node: 2, kind: 'readlink' },
  ],
  [
    '40000000 1d000000 1000000000000000 0100000000000000 00000000 00000000 00000000 00000000',
    '0100000000000000 88010000 00000000 0000000000000000',
    { unique: 16, node: 1, kind: 'release', handle: 1 },
  ],
  [
    '2e000000 01000000 1200000000000000 0300000000000000 00000000 00000000 9d030000 00000000',
    '612e74787400',
    { unique: 18, node: 3, kind: 'lookup', name: 'a.txt' },
  ],
  [
    '30000000 0e000000 1400000000000000 0400000000000000 00000000 00000000 9d030000 00000000',
    '00800000 00000000',
    { unique: 20, node: 4, kind: 'open' },
  ],
  [
    '50000000 0f000000 1600000000000000 0400000000000000 00000000 00000000 9d030000 00000000',
    '0000000000000000 0000000000000000 00100000 00000000 0000000000000000 00800000 00000000',
    { unique: 22, node: 4, kind: 'read', handle: 0, offset: 0, size: 4096 },
  ],
  ['28000000 11000000 1e00000000000000 0100000000000000 00000000 00000000 9f030000 00000000', '', { unique: 30, node: 1, kind: 'statfs' }],
  [
    '30000000 02000000 2a00000000000000 0200000000000000 00000000 00000000 00000000 00000000',
    '0100000000000000',
    { unique: 42, node: 2, kind: 'forget', forgotten: [{ node: 2, lookups: 1 }] },
  ],
  [
    '50000000 2a000000 2c00000000000000 0000000000000000 00000000 00000000 00000000 00000000',
    '02000000 00000000 0400000000000000 0200000000000000 0300000000000000 0100000000000000',
    {
      ...{ unique: 44, node: 0, kind: 'forget' },
      forgotten: [
        { node: 4, lookups: 2 },
        { node: 3, lookups: 1 },
      ],
    },
  ],
];

test('requests that Linux 6.18 has sent are understood', () => {
  for (const [header, body, expected] of RECORDED) {
    const bytes = Buffer.from((header + body).replaceAll(' ', ''), 'hex');
    assert.deepEqual(requestIn(bytes), expected);
    assert.equal(bytes.readUInt32LE(0), bytes.length);
  }
});

test('names are bytes, up to the first zero', () => {
  assert.deepEqual(requestIn(request(1, Buffer.from('a\xff\0b\0', 'latin1'))), { unique: 6, node: 1, kind: 'lookup', name: 'a\xff' });
  assert.equal(requestIn(request(1, Buffer.from('no end')))?.kind, 'malformed');
  assert.equal(requestIn(request(1, Buffer.from('\0')))?.kind, 'malformed');
});

test('what is forgotten is counted by its node, one at a time or many', () => {
  assert.deepEqual(requestIn(request(2, u64s(3), 7)), { unique: 6, node: 7, kind: 'forget', forgotten: [{ node: 7, lookups: 3 }] });
  const many = Buffer.concat([Buffer.from([2, 0, 0, 0, 0, 0, 0, 0]), u64s(7, 3, 8, 1)]);
  assert.deepEqual(requestIn(request(42, many, 0)), {
    unique: 6,
    node: 0,
    kind: 'forget',
    forgotten: [
      { node: 7, lookups: 3 },
      { node: 8, lookups: 1 },
    ],
  });
  assert.equal(requestIn(request(42, many.subarray(0, -1), 0)), undefined, 'there is nobody to tell');
});

test('no bytes do any harm: a request is understood, malformed, or too short to be answered', () => {
  const opcodes = [1, 2, 3, 5, 14, 15, 17, 18, 22, 26, 27, 28, 29, 34, 36, 38, 42, 44, 4096];
  const asked = fc.record({ opcode: fc.constantFrom(...opcodes), body: fc.uint8Array({ maxLength: 120 }), length: fc.option(fc.nat(200)) });
  fc.assert(
    fc.property(asked, ({ opcode, body, length }) => {
      const bytes = request(opcode, Buffer.from(body));
      if (length !== null) bytes.writeUInt32LE(length, 0);
      const found = requestIn(bytes);
      if (found === undefined) return assert.ok([2, 36, 42].includes(opcode) || length !== null);
      if (length !== null && length !== bytes.length) assert.equal(found.kind, 'malformed');
      if (found.kind === 'forget') assert.ok(found.forgotten.length * 8 <= body.length + 8);
    }),
    { numRuns: 2000 },
  );
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
      assert.equal(requestIn(Buffer.from(bytes)) === undefined, bytes.length < REQUEST_HEADER_BYTES);
    }),
  );
});
