import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ShardctlError } from '../core/errors.ts';
import { DAG_PB, type Metadata, RAW } from '../core/model.ts';
import { encodeFileNode } from './file-node.ts';
import { type DagNode, decodeNode, onlyLeafOf } from './node-reader.ts';
import { oneLeafFile } from './one-leaf-file.ts';
import { MOST_ONE_LEAF_FILE_BYTES, writeOneLeafFile } from './one-leaf-file-writer.ts';

const SECONDS = 1_000_000_000n;
const metadata: fc.Arbitrary<Metadata> = fc.record(
  { mode: fc.nat(0o7777), mtimeNs: fc.oneof(fc.bigInt(-(2n ** 40n) * SECONDS, 2n ** 40n * SECONDS), fc.constant(5n * SECONDS)) },
  { requiredKeys: [] },
);
const child = fc.record({
  codec: fc.constantFrom(RAW, RAW, DAG_PB),
  digest: fc.uint8Array({ minLength: 32, maxLength: 32 }),
  fileBytes: fc.oneof(fc.nat(200), fc.nat(2 ** 21), fc.nat(2 ** 40)),
});

/** What the slow way finds in the node, where it is a file of one leaf; undefined where it is anything else. */
function slowly(bytes: Uint8Array) {
  let node: DagNode;
  try {
    node = decodeNode(bytes);
  } catch (error) {
    assert.ok(error instanceof ShardctlError);
    return undefined;
  }
  const leaf = node.type === 'file' ? onlyLeafOf(node) : undefined;
  return leaf === undefined ? undefined : { leaf, size: node.blockSizes[0], fileBytes: node.fileBytes, ...metadataOf(node) };
}

function metadataOf({ mode, mtimeNs }: Metadata): Metadata {
  return { ...(mode === undefined ? {} : { mode }), ...(mtimeNs === undefined ? {} : { mtimeNs }) };
}

test('a file of one raw leaf is read as it was written', () => {
  fc.assert(
    fc.property(child, metadata, fc.boolean(), ({ codec, ...rest }, metadata, isV0) => {
      const bytes = encodeFileNode([{ codec, ...rest, dagSize: rest.fileBytes }], metadata, isV0 ? 0 : 1);
      const read = oneLeafFile(bytes);
      if (codec !== RAW || (metadata.mtimeNs ?? 0n) < 0n) return assert.equal(read, undefined);
      const { fileBytes, ...slow } = slowly(bytes) ?? {};
      assert.equal(read?.size, fileBytes);
      assert.deepEqual(read, slow);
    }),
  );
});

test('whatever the bytes, it reads them as decodeNode does, or leaves them to it', () => {
  const mutations = fc.array(fc.record({ at: fc.nat(), byte: fc.nat(255) }), { minLength: 1, maxLength: 3 });
  fc.assert(
    fc.property(child, metadata, mutations, fc.nat(), (child, metadata, mutations, cut) => {
      const bytes = encodeFileNode([{ ...child, dagSize: child.fileBytes }], metadata, 1);
      for (const { at, byte } of mutations) bytes[at % bytes.length] = byte;
      const block = cut % 3 === 0 ? bytes.subarray(0, cut % bytes.length) : bytes;
      const read = oneLeafFile(block);
      if (read === undefined) return;
      const { fileBytes, ...slow } = slowly(block) ?? {};
      assert.equal(read.size, fileBytes);
      assert.deepEqual(read, slow);
    }),
    { numRuns: 5000 },
  );
});

test('the root of a file of one leaf is written in place as it is by itself', () => {
  const whole = fc.record({ mode: fc.nat(0o177777), mtimeNs: fc.bigInt(-(2n ** 63n), 2n ** 63n) });
  fc.assert(
    fc.property(child, fc.nat(2 ** 50), whole, fc.boolean(), fc.nat(9), (child, dagSize, { mode, mtimeNs }, isV0, start) => {
      const version = isV0 ? 0 : 1;
      const out = Buffer.alloc(start + MOST_ONE_LEAF_FILE_BYTES);
      const end = writeOneLeafFile(out, start, { ...child, dagSize }, mode, mtimeNs, version);
      assert.deepEqual(out.subarray(start, end), encodeFileNode([{ ...child, dagSize }], { mode, mtimeNs }, version));
    }),
  );
});
