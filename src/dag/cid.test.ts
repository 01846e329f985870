import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import fc from 'fast-check';
import { base36 } from 'multiformats/bases/base36';
import { CID } from 'multiformats/cid';
import * as Digest from 'multiformats/hashes/digest';
import { ShardctlError } from '../core/errors.ts';
import { type Codec, DAG_PB, RAW } from '../core/model.ts';
import { cidBytes, cidLength, cidText, parseCid, readCid, sha256, writeCid } from './cid.ts';

const ids = fc.record({ codec: fc.constantFrom<Codec>(RAW, DAG_PB), digest: fc.uint8Array({ minLength: 32, maxLength: 32 }) });

test('sha256 hashes a view, not the buffer under it', () => {
  const view = Buffer.from('xxhello worldxx').subarray(2, 13);
  assert.equal(Buffer.from(sha256(view)).toString('hex'), createHash('sha256').update('hello world').digest('hex'));
});

test('a CID is what multiformats makes of it, as bytes and as text', () => {
  fc.assert(
    fc.property(ids, fc.constantFrom(0, 1), (id, version) => {
      const expected = CID.create(id.codec === RAW ? 1 : version, id.codec, Digest.create(0x12, id.digest));
      assert.deepEqual(new Uint8Array(cidBytes(id, version)), expected.bytes);
      assert.equal(cidText(id, version), expected.toString());
      assert.equal(cidLength(id.codec, version), expected.bytes.length);
    }),
  );
});

test('a CID is written at its offset and nowhere else', () => {
  const digest = Buffer.alloc(40, 7);
  const out = Buffer.alloc(50, 1);
  assert.equal(writeCid(out, 5, DAG_PB, digest, 8, 0), 39);
  assert.equal(out.toString('hex'), `${'01'.repeat(5)}1220${'07'.repeat(32)}${'01'.repeat(11)}`);
});

test('text and bytes are read back, in any base', () => {
  fc.assert(
    fc.property(ids, fc.constantFrom(0, 1), (id, version) => {
      const bytes = cidBytes(id, version);
      assert.deepEqual({ ...readCid(bytes) }, { codec: id.codec, digest: bytes.subarray(-32) });
      const parsed = parseCid(cidText(id, version));
      assert.equal(parsed.codec, id.codec);
      assert.deepEqual(Buffer.from(parsed.digest), Buffer.from(id.digest));
      assert.equal(parsed.version, id.codec === RAW ? 1 : version);
      assert.equal(parseCid(CID.decode(cidBytes(id, 1)).toString(base36)).codec, id.codec);
    }),
  );
});

test('what is no CID of a UnixFS block is a usage error that quotes it', () => {
  const digest = Digest.create(0x12, new Uint8Array(32));
  const others = [
    '',
    'hello',
    'Qmnot-base58',
    CID.createV1(0x71, digest).toString(),
    CID.createV1(RAW, Digest.create(0x00, new Uint8Array(4))).toString(),
    CID.createV1(RAW, Digest.create(0x13, new Uint8Array(64))).toString(),
    CID.createV1(RAW, Digest.create(0x1b, new Uint8Array(32))).toString(),
  ];
  for (const text of others) {
    assert.throws(
      () => parseCid(text),
      (error) => error instanceof ShardctlError && error.code === 'USAGE' && error.message.includes(`"${text}"`),
    );
  }
});
