import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import fc from 'fast-check';
import { DAG_PB, RAW } from '../core/model.ts';
import { encodeFileNode } from '../dag/file-node.ts';
import { decodeNode } from '../dag/node-reader.ts';
import { plainLeaves } from './plain-leaves.ts';

const sizes = fc.array(fc.integer({ min: 1, max: 5_000_000 }), { minLength: 1, maxLength: 20 });

function nodeOf(lengths: readonly number[], codec: typeof RAW | typeof DAG_PB = RAW): Buffer {
  const children = lengths.map((fileBytes, index) => ({
    codec,
    digest: createHash('sha256').update(String(index)).digest(),
    fileBytes,
    dagSize: fileBytes,
  }));
  return encodeFileNode(children, undefined, 1);
}

/** What is read is what the reader of all nodes finds, which is a manifest's node above blocks. */
function assertAgrees(bytes: Buffer): boolean {
  const plain = plainLeaves(bytes);
  if (plain === undefined) return false;
  const { type, data, links, blockSizes, fileBytes } = decodeNode(bytes);
  assert.ok(type === 'file' && data === undefined);
  assert.deepEqual([plain.lengths, plain.lengths, plain.bytes], [blockSizes, links.map(({ dagSize }) => dagSize), fileBytes]);
  assert.deepEqual(
    plain.digestsAt.map((at) => bytes.subarray(at, at + 32).toString('hex')),
    links.map(({ codec, digest }) => {
      assert.equal(codec, RAW);
      return Buffer.from(digest).toString('hex');
    }),
  );
  assert.equal(
    plain.lengths.reduce((sum, length) => sum + length, 0),
    plain.bytes,
  );
  assert.ok(plain.lengths.every((length) => length > 0));
  return true;
}

test('every node above blocks is read as the reader of all nodes reads it', () => {
  fc.assert(fc.property(sizes, (lengths) => assert.ok(assertAgrees(nodeOf(lengths)))));
});

test('a node with any byte changed, cut off or added is left to that reader, or is what that one finds', () => {
  const change = fc.record({ at: fc.nat(), to: fc.nat(255), how: fc.constantFrom('set', 'cut', 'put', 'drop') });
  fc.assert(
    fc.property(sizes, fc.array(change, { minLength: 1, maxLength: 2 }), (lengths, changes) => {
      let bytes = nodeOf(lengths);
      for (const { at, to, how } of changes) {
        const place = at % (bytes.length + 1);
        if (how === 'set' && place < bytes.length) bytes[place] = to;
        else if (how === 'cut') bytes = bytes.subarray(0, place);
        else if (how === 'put') bytes = Buffer.concat([bytes.subarray(0, place), Buffer.from([to]), bytes.subarray(place)]);
        else if (how === 'drop') bytes = Buffer.concat([bytes.subarray(0, place), bytes.subarray(place + 1)]);
      }
      assertAgrees(bytes);
    }),
    { numRuns: 3000 },
  );
});

test('a node above nodes is none above blocks, and neither is a file with metadata', () => {
  assert.equal(plainLeaves(nodeOf([1, 2], DAG_PB)), undefined);
  const child = { codec: RAW, digest: Buffer.alloc(32), fileBytes: 1, dagSize: 1 } as const;
  assert.equal(plainLeaves(encodeFileNode([child], { mode: 0o644, mtimeNs: 0n }, 1)), undefined);
});
