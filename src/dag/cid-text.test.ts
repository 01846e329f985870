import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { bases } from 'multiformats/basics';
import { CID } from 'multiformats/cid';
import { create, decode } from 'multiformats/hashes/digest';
import { anyCidIn, peerIdIn, peerIdOf } from './cid-text.ts';

const someCid = fc
  .record({
    codec: fc.constantFrom(0x55, 0x70, 0x71, 0x0129, 0x0200),
    hash: fc.constantFrom(0x00, 0x12, 0x13, 0xb220),
    digest: fc.uint8Array({ minLength: 0, maxLength: 64 }),
  })
  .map(({ codec, hash, digest }) => CID.createV1(codec, create(hash, digest)));

test('a CID is read in every multibase', () => {
  const encoders = [
    bases.base10,
    bases.base16,
    bases.base16upper,
    bases.base32,
    bases.base32upper,
    bases.base32z,
    bases.base36,
    bases.base36upper,
  ];
  const all = [...encoders, bases.base58btc, bases.base58flickr, bases.base64, bases.base64pad, bases.base64url, bases.base64urlpad];
  fc.assert(
    fc.property(someCid, fc.constantFrom(...all), (cid, base) => {
      const read = anyCidIn(base.encode(cid.bytes));
      assert.deepEqual(read === undefined ? undefined : Buffer.from(read.bytes), Buffer.from(cid.bytes));
      assert.deepEqual([read?.version, read?.codec, read?.hash], [1, cid.code, cid.multihash.code]);
    }),
  );
});

test('a CIDv0 has no multibase, and 46 digits', () => {
  const text = 'QmYzfKSE55XCjD1MW128RfciAf2DViABhEiXfgVFMabSjN';
  assert.equal(anyCidIn(text)?.version, 0);
  for (const other of [`z${text}`, text.slice(0, -1), `${text}1`, text.replace('Qm', 'QM')])
    assert.equal(anyCidIn(other), undefined, other);
});

test('whatever text comes, it is a CID of the library or none', () => {
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string(),
        fc.base64String(),
        someCid.map(String),
        someCid.map((cid) => `${cid}a`),
      ),
      (text) => {
        const cid = anyCidIn(text);
        if (cid !== undefined) assert.deepEqual(Buffer.from(CID.decode(cid.bytes).bytes), Buffer.from(cid.bytes));
      },
    ),
    { numRuns: 2000 },
  );
});

test('a peer ID is the same as a multihash and as a CID', () => {
  const id = peerIdOf(Buffer.alloc(32, 7));
  assert.match(id, /^Qm.{44}$/);
  assert.equal(peerIdIn(id), id);
  assert.equal(peerIdIn(CID.createV1(0x72, CID.parse(id).multihash).toString()), id);
  const ed25519 = '12D3KooWQYhTNQdmr3ArTeUHRYzFg94BKyTkoWBDWez9kSCVe2Xo';
  assert.equal(peerIdIn(ed25519), ed25519);
  assert.equal(peerIdIn(CID.createV1(0x72, decode(bases.base58btc.baseDecode(ed25519))).toString(bases.base36)), ed25519);
  for (const none of ['', 'not an id', '0OIl']) assert.equal(peerIdIn(none), undefined);
});
