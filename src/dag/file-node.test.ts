import assert from 'node:assert/strict';
import { test } from 'node:test';
import { encode } from '@ipld/dag-pb';
import fc from 'fast-check';
import { UnixFS } from 'ipfs-unixfs';
import { CID } from 'multiformats/cid';
import { DAG_PB, type Metadata, RAW } from '../core/model.ts';
import { type CidVersion, cidBytes } from './cid.ts';
import { encodeEmptyFile, encodeFileNode, encodeLeafFrame, encodeSymlink, type FileChild } from './file-node.ts';

const digests = fc.uint8Array({ minLength: 32, maxLength: 32 });
/** Protobuf of ipfs-unixfs 13 garbles numbers from 2^31 to 2^32 − 1 (a file of 3 GB, a date after 2038); the golden CIDs cover those. */
const sizes = fc.oneof(fc.nat(2 ** 24), fc.integer({ min: 2 ** 32, max: 2 ** 46 }));
const isGarbled = (ns: bigint) => ns / 1_000_000_000n >= 2n ** 31n && ns / 1_000_000_000n < 2n ** 32n;

const children = fc.array(
  fc.record({
    codec: fc.constantFrom(RAW, DAG_PB),
    digest: digests,
    fileBytes: sizes,
    dagSize: fc.maxSafeNat(),
  }),
  { maxLength: 40 },
) as fc.Arbitrary<FileChild[]>;
const versions = fc.constantFrom<CidVersion>(0, 1);

/** ipfs-unixfs leaves a mode of 0644 out and has no way to put it in: all others. */
const metadata = fc.option(
  fc.record({
    mode: fc.integer({ min: 0, max: 0o7777 }).filter((mode) => mode !== 0o644),
    mtimeNs: fc.bigInt(-(2n ** 62n), 2n ** 62n).filter((ns) => !isGarbled(ns)),
  }),
  { nil: undefined },
);

test('a file node is what @ipld/dag-pb and ipfs-unixfs make of it', () => {
  fc.assert(
    fc.property(children, metadata, versions, (children, metadata, version) => {
      const unixfs = reference('file', metadata);
      for (const { fileBytes } of children) unixfs.addBlockSize(BigInt(fileBytes));
      const Links = children.map((child) => ({ Name: '', Tsize: child.dagSize, Hash: CID.decode(cidBytes(child, version)) }));
      assert.deepEqual(Buffer.from(encode({ Links, Data: unixfs.marshal() })), encodeFileNode(children, metadata, version));
    }),
  );
});

test('a dag-pb leaf is its frame around the bytes of the file', () => {
  fc.assert(
    fc.property(
      fc.oneof(
        fc.uint8Array(),
        fc.nat(100_000).map((length) => new Uint8Array(length)),
      ),
      metadata,
      (bytes, metadata) => {
        const unixfs = reference('file', metadata, bytes);
        const { prefix, suffix } = encodeLeafFrame(bytes.length, metadata);
        const block = Buffer.concat([prefix, bytes, suffix]);
        if (bytes.length === 0) assert.deepEqual(block, encodeEmptyFile(metadata));
        else assert.deepEqual(Buffer.from(encode({ Links: [], Data: unixfs.marshal() })), block);
      },
    ),
  );
});

test('a symlink has its target byte for byte, its mtime, and never a mode', () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 1, maxLength: 4096 }), metadata, (target, metadata) => {
      const unixfs = reference('symlink', metadata && { mtimeNs: metadata.mtimeNs }, target);
      assert.deepEqual(Buffer.from(encode({ Links: [], Data: unixfs.marshal() })), encodeSymlink(target, metadata));
    }),
  );
});

test('an empty file has no data field, and mode and mtime whatever their values', () => {
  const hex = (metadata?: Metadata) => encodeEmptyFile(metadata).toString('hex');
  assert.equal(hex(), '0a0408021800');
  assert.equal(hex({ mode: 0o644, mtimeNs: 0n }), '0a0b0802180038a40342020800');
  assert.equal(hex({ mode: 0, mtimeNs: 1n }), '0a0f080218003800420708001501000000');
});

test('the fraction of a second counts forward, and is left out when it is zero', () => {
  const time = (mtimeNs: bigint) => encodeEmptyFile({ mtimeNs }).toString('hex').slice(12);
  const minusOne = '08ffffffffffffffffff01';
  assert.equal(time(-1n), `4210${minusOne}15ffc99a3b`);
  assert.equal(time(-1_000_000_000n), `420b${minusOne}`);
  assert.equal(time(1_999_999_999n), '4207080115ffc99a3b');
  assert.equal(time(2_000_000_000n), '42020802');
});

test('only permission bits are kept', () => {
  assert.deepEqual(encodeEmptyFile({ mode: 0o100644 }), encodeEmptyFile({ mode: 0o644 }));
});

function reference(type: 'file' | 'symlink', metadata: Metadata | undefined, data?: Uint8Array): UnixFS {
  const unixfs = new UnixFS({ type, ...(data && { data }) });
  if (metadata?.mode !== undefined) unixfs.mode = metadata.mode;
  if (metadata?.mtimeNs === undefined) return unixfs;
  const nsecs = Number(BigInt.asUintN(64, ((metadata.mtimeNs % 1_000_000_000n) + 1_000_000_000n) % 1_000_000_000n));
  const secs = (metadata.mtimeNs - BigInt(nsecs)) / 1_000_000_000n;
  unixfs.mtime = nsecs === 0 ? { secs } : { secs, nsecs };
  return unixfs;
}
