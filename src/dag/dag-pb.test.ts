import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ShardctlError } from '../core/errors.ts';
import { DAG_PB, RAW, type Root } from '../core/model.ts';
import { CID_COLUMN_BYTES } from '../walk/directory.ts';
import { type CidVersion, cidObject, cidText, sha256 } from './cid.ts';
import { profileOf } from './cid-profile.ts';
import { decodeNamedNode, encodeInnerNode, encodeNamedLinks } from './dag-pb.ts';
import { buildDirectory } from './directory-node.ts';
import { encodeFileNode, encodeSymlink, type FileChild } from './file-node.ts';
import { decodeNode } from './node-reader.ts';

const V1 = profileOf('unixfs-v1-2025');
const digests = fc.uint8Array({ minLength: 32, maxLength: 32 });
const codecs = fc.constantFrom(RAW, DAG_PB);
const versions = fc.constantFrom<CidVersion>(0, 1);
const sizes = fc.oneof(fc.nat(2 ** 24), fc.integer({ min: 2 ** 31, max: 2 ** 32 }), fc.maxSafeNat());
const children: fc.Arbitrary<FileChild[]> = fc.array(
  fc.record({ codec: codecs, digest: digests, fileBytes: fc.integer({ min: 0, max: 2 ** 45 }), dagSize: sizes }),
  { maxLength: 40 },
);
const metadata = fc.option(fc.record({ mode: fc.nat(0o7777), mtimeNs: fc.bigInt(-(2n ** 62n), 2n ** 62n) }), { nil: undefined });
const targets: fc.Arbitrary<Root> = fc.record({ codec: codecs, digest: digests, dagSize: fc.nat(2 ** 40) });
/** Names that are text: no lone surrogates, which UTF-8 cannot hold. */
const names = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 12 });

test('an inner node of a file has the same bytes by @ipld/dag-pb and by the encoder of small files', () => {
  fc.assert(
    fc.property(children, metadata, versions, (children, metadata, version) => {
      assert.deepEqual(encodeInnerNode(children, metadata, version), encodeFileNode(children, metadata, version));
    }),
  );
});

test('a directory of text names has the same bytes by @ipld/dag-pb and by the encoder of the walk, in whatever order its links come', () => {
  fc.assert(
    fc.property(fc.uniqueArray(fc.tuple(names, targets), { selector: ([name]) => name, maxLength: 30 }), versions, (links, version) => {
      const sorted = links
        .map(([name, target]) => [Buffer.from(name).toString('latin1'), target] as const)
        .sort(([a], [b]) => (a < b ? -1 : 1));
      const cids = Buffer.alloc(sorted.length * CID_COLUMN_BYTES);
      for (const [at, [, { codec, digest }]] of sorted.entries()) {
        cids[at * CID_COLUMN_BYTES] = codec;
        cids.set(digest, at * CID_COLUMN_BYTES + 1);
      }
      const dagSizes = Float64Array.from(sorted, ([, { dagSize }]) => dagSize);
      const columns = { count: sorted.length, names: sorted.map(([name]) => name), cids, dagSizes };
      const blocks: Buffer[] = [];
      buildDirectory(columns, undefined, { ...V1, cidVersion: version }, (block) => sha256(blocks[blocks.push(block) - 1] ?? block));
      assert.deepEqual([encodeNamedLinks(links, version)], blocks);
    }),
  );
});

test('a CID as an object is the CID of the text', () => {
  fc.assert(
    fc.property(codecs, digests, versions, (codec, digest, version) => {
      const cid = cidObject({ codec, digest }, version);
      assert.equal(cid.toString(), cidText({ codec, digest }, version));
      assert.deepEqual([cid.code, Buffer.from(cid.multihash.digest), cid.multihash.bytes.length], [codec, Buffer.from(digest), 34]);
    }),
  );
});

test('whatever the bytes, both decoders find the same node, or the one of @ipld/dag-pb is the more lenient', () => {
  const child = { codec: RAW, digest: Buffer.alloc(32, 7), fileBytes: 9, dagSize: 9 } as const;
  const samples = [
    encodeFileNode([child, { ...child, codec: DAG_PB, dagSize: 300 }], { mode: 0o640, mtimeNs: -5n }, 1),
    encodeFileNode([child], undefined, 0),
    encodeSymlink(Buffer.from('target'), { mtimeNs: 12_345_678_901n }),
    encodeNamedLinks(
      [
        ['näme', { ...child }],
        ['other', { ...child, codec: DAG_PB }],
      ],
      1,
    ),
  ];
  const mutations = fc.array(fc.record({ at: fc.nat(), byte: fc.nat(255) }), { maxLength: 3 });
  let same = 0;
  fc.assert(
    fc.property(fc.constantFrom(...samples), mutations, (sample, mutations) => {
      const bytes = Buffer.from(sample);
      for (const { at, byte } of mutations) bytes[at % bytes.length] = byte;
      const [own, other] = [decodedOrDamaged(decodeNode, bytes), decodedOrDamaged(decodeNamedNode, bytes)];
      if (own === undefined) return;
      const isText = own.links.every(({ name }) => Buffer.from(Buffer.from(name, 'latin1').toString()).equals(Buffer.from(name, 'latin1')));
      if (!isText) return;
      assert.deepEqual(plain(other), plain(own));
      same++;
    }),
    { numRuns: 3000 },
  );
  assert.ok(same > 300, `${same} nodes were compared`);
});

/** Views of any kind become buffers, so that bytes are compared. */
function plain(node: ReturnType<typeof decodeNode> | undefined) {
  const bytes = (view: Uint8Array | undefined) => (view === undefined ? undefined : Buffer.from(view));
  return (
    node && {
      ...node,
      data: bytes(node.data),
      links: node.links.map((link) => ({ ...link, digest: bytes(link.digest), inline: bytes(link.inline) })),
    }
  );
}

function decodedOrDamaged(decode: typeof decodeNode, bytes: Uint8Array) {
  try {
    return decode(bytes);
  } catch (error) {
    assert.ok(error instanceof ShardctlError && error.code === 'DAMAGE', String(error));
    return undefined;
  }
}
