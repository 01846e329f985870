import assert from 'node:assert/strict';
import { test } from 'node:test';
import { encode } from '@ipld/dag-pb';
import fc from 'fast-check';
import { UnixFS } from 'ipfs-unixfs';
import { CID } from 'multiformats/cid';
import { type ByteString, type CidProfile, DAG_PB, type Metadata, RAW, type Root } from '../core/model.ts';
import { CID_COLUMN_BYTES } from '../walk/directory.ts';
import { cidBytes, readCid, sha256 } from './cid.ts';
import { profileOf } from './cid-profile.ts';
import type { DirectoryLinks } from './directory-links.ts';
import { buildDirectory } from './directory-node.ts';
import { decodeNode } from './node-reader.ts';

const V1 = profileOf('unixfs-v1-2025');
const V0 = profileOf('unixfs-v0-2015');

type Entry = Root & { readonly name: ByteString };

function columns(entries: readonly Entry[]): DirectoryLinks {
  const cids = Buffer.alloc(entries.length * CID_COLUMN_BYTES);
  for (const [i, { codec, digest }] of entries.entries()) {
    cids[i * CID_COLUMN_BYTES] = codec;
    cids.set(digest, i * CID_COLUMN_BYTES + 1);
  }
  return {
    count: entries.length,
    names: entries.map(({ name }) => name),
    cids,
    dagSizes: Float64Array.from(entries, ({ dagSize }) => dagSize),
  };
}

function build(entries: readonly Entry[], metadata: Metadata | undefined, profile: CidProfile) {
  const blocks: Buffer[] = [];
  const root = buildDirectory(columns(entries), metadata, profile, (block) => {
    blocks.push(block);
    return sha256(block);
  });
  return { root, blocks, last: blocks.at(-1) as Buffer };
}

/** Names as bytes, some of them UTF-8, sorted and each once. */
const entriesOf = (names: fc.Arbitrary<ByteString>) =>
  fc
    .uniqueArray(
      fc.record({
        name: names,
        codec: fc.constantFrom(RAW, DAG_PB),
        digest: fc.uint8Array({ minLength: 32, maxLength: 32 }),
        dagSize: fc.maxSafeNat().map((n) => Math.floor(n / 1024)),
      }),
      { selector: ({ name }) => name, maxLength: 60 },
    )
    .map((entries) => entries.sort((a, b) => (a.name < b.name ? -1 : 1)) as Entry[]);

const utf8Names = fc.string({ unit: 'binary', minLength: 1, maxLength: 80 }).map((text) => Buffer.from(text).toString('latin1'));
const byteNames = fc.uint8Array({ minLength: 1, maxLength: 255 }).map((bytes) => Buffer.from(bytes).toString('latin1'));
const metadata = fc.option(fc.record({ mode: fc.integer({ min: 0, max: 0o7777 }), mtimeNs: fc.bigInt(-(2n ** 60n), 2n ** 60n) }), {
  nil: undefined,
});

test('a plain directory with UTF-8 names is what @ipld/dag-pb and ipfs-unixfs make of it', () => {
  fc.assert(
    fc.property(entriesOf(utf8Names), fc.constantFrom(V0, V1), (entries, profile) => {
      const Links = entries.map((entry) => ({
        Name: Buffer.from(entry.name, 'latin1').toString(),
        Tsize: entry.dagSize,
        Hash: CID.decode(cidBytes(entry, profile.cidVersion)),
      }));
      const { root, last } = build(entries, undefined, profile);
      assert.deepEqual(Buffer.from(encode({ Links, Data: new UnixFS({ type: 'directory' }).marshal() })), last);
      assert.deepEqual(root, {
        codec: DAG_PB,
        digest: sha256(last),
        dagSize: last.length + entries.reduce((sum, { dagSize }) => sum + dagSize, 0),
      });
    }),
  );
});

test('a directory of any names, with any metadata, decodes to what went in', () => {
  fc.assert(
    fc.property(entriesOf(byteNames), metadata, (entries, metadata) => {
      const node = decodeNode(build(entries, metadata, V1).last);
      assert.equal(node.type, 'directory');
      assert.deepEqual({ mode: node.mode, mtimeNs: node.mtimeNs }, { mode: metadata?.mode, mtimeNs: metadata?.mtimeNs });
      assert.deepEqual(node.links.map(plain), entries.map(plain));
    }),
  );
});

test('a directory is plain up to the threshold and HAMT above it; metadata count, in the block estimate alone', () => {
  const entries: Entry[] = [{ name: 'a', codec: RAW, digest: new Uint8Array(32), dagSize: 1 }];
  const dated: Metadata = { mode: 0o755, mtimeNs: 0n };
  const typeAt = (metadata: Metadata | undefined, profile: CidProfile, hamtThreshold: number) =>
    decodeNode(build(entries, metadata, { ...profile, hamtThreshold }).last).type;
  for (const metadata of [undefined, dated]) {
    const { length } = build(entries, metadata, V1).last;
    assert.equal(typeAt(metadata, V1, length), 'directory');
    assert.equal(typeAt(metadata, V1, length - 1), 'hamt');
    const namesAndCids = 1 + 36;
    assert.equal(typeAt(metadata, V0, namesAndCids), 'directory');
    assert.equal(typeAt(metadata, V0, namesAndCids - 1), 'hamt');
  }
});

test('an empty directory is the node that everyone knows', () => {
  assert.equal(build([], undefined, V1).last.toString('hex'), '0a020801');
  assert.equal(build([], { mode: 0, mtimeNs: 5_000_000_000n }, V1).last.toString('hex'), '0a080801380042020805');
  assert.deepEqual(readCid(cidBytes(build([], undefined, V0).root, 0))?.digest, sha256(Buffer.from('0a020801', 'hex')));
});

function plain({ name, codec, digest, dagSize }: Entry) {
  return { name, codec, digest: Buffer.from(digest).toString('hex'), dagSize };
}
