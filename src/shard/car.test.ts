import assert from 'node:assert/strict';
import { hash } from 'node:crypto';
import { test } from 'node:test';
import { CarReader, CarWriter } from '@ipld/car';
import fc from 'fast-check';
import { CID } from 'multiformats/cid';
import { create as createDigest } from 'multiformats/hashes/digest';
import { type Codec, DAG_PB, RAW } from '../core/model.ts';
import {
  CAR_HEADER_BYTES,
  carHeader,
  MAX_BLOCK_BYTES,
  readCarHeader,
  SectionCursor,
  sectionHeaderBytes,
  writeSectionHeader,
} from './car.ts';

interface Block {
  readonly codec: Codec;
  readonly digest: Uint8Array;
  readonly data: Uint8Array;
}

function block(data: Uint8Array, codec: Codec = RAW): Block {
  return { codec, data, digest: hash('sha256', data, 'buffer') };
}

function batchOf(blocks: readonly Block[]): Buffer {
  const parts = blocks.map(({ codec, digest, data }) => {
    const section = Buffer.alloc(sectionHeaderBytes(data.length) + data.length);
    section.set(data, writeSectionHeader(section, 0, codec, digest, 0, data.length));
    return section;
  });
  return Buffer.concat(parts);
}

const blocks = fc.array(
  fc
    .record({ data: fc.uint8Array({ maxLength: 300 }), codec: fc.constantFrom<Codec>(RAW, DAG_PB) })
    .map(({ data, codec }) => block(data, codec)),
  { minLength: 1, maxLength: 20 },
);

test('what is written is read by @ipld/car, and byte for byte what it writes', async () => {
  await fc.assert(
    fc.asyncProperty(blocks, async (written) => {
      const [root] = written;
      assert.ok(root !== undefined);
      const car = Buffer.concat([carHeader(root), batchOf(written)]);
      const cidOf = (b: Block) => CID.createV1(b.codec, createDigest(0x12, b.digest));
      const { writer, out } = CarWriter.create([cidOf(root)]);
      const theirs = (async () => {
        const parts: Uint8Array[] = [];
        for await (const part of out) parts.push(part);
        return Buffer.concat(parts);
      })();
      for (const b of written) await writer.put({ cid: cidOf(b), bytes: b.data });
      await writer.close();
      assert.deepEqual(car, await theirs);
      const reader = await CarReader.fromBytes(car);
      assert.deepEqual((await reader.getRoots()).map(String), [String(cidOf(root))]);
    }),
    { numRuns: 30 },
  );
});

test('the cursor gives every section back in order', () => {
  fc.assert(
    fc.property(blocks, (written) => {
      const batch = batchOf(written);
      const cursor = new SectionCursor(batch);
      const read: Block[] = [];
      let at = 0;
      while (cursor.next()) {
        assert.equal(cursor.start, at);
        at = cursor.end;
        read.push({
          codec: cursor.codec,
          digest: new Uint8Array(batch.subarray(cursor.digestAt, cursor.digestAt + 32)),
          data: new Uint8Array(batch.subarray(cursor.dataAt, cursor.end)),
        });
      }
      assert.equal(cursor.torn, false);
      assert.equal(at, batch.length);
      assert.deepEqual(
        read,
        written.map((b) => ({ ...b, digest: new Uint8Array(b.digest), data: new Uint8Array(b.data) })),
      );
    }),
  );
});

test('the header has a fixed length and names its root', () => {
  const root = block(Buffer.from('x'), DAG_PB);
  const header = carHeader(root);
  assert.equal(header.length, CAR_HEADER_BYTES);
  assert.equal(header.length, 59);
  const read = readCarHeader(header);
  assert.equal(read.codec, DAG_PB);
  assert.deepEqual(Buffer.from(read.digest), Buffer.from(root.digest));
  for (let at = 0; at < header.length - 42; at++) {
    const bad = Buffer.from(header);
    bad.writeUInt8(bad.readUInt8(at) ^ 0xff, at);
    assert.throws(() => readCarHeader(bad), { code: 'DAMAGE' }, `byte ${at}`);
  }
  assert.throws(() => readCarHeader(header.subarray(0, 58)), { code: 'DAMAGE' });
});

test('a batch cut anywhere is torn, never read past its end', () => {
  const batch = batchOf([block(Buffer.from('one')), block(Buffer.alloc(200, 7))]);
  const first = sectionHeaderBytes(3) + 3;
  for (let cut = 1; cut < batch.length; cut++) {
    const cursor = new SectionCursor(batch, 0, cut);
    let sections = 0;
    while (cursor.next()) sections++;
    assert.equal(sections, cut >= first ? 1 : 0);
    assert.equal(cursor.torn, cut !== first);
  }
});

test('bytes that are not a section of a shard are damage', () => {
  const good = batchOf([block(Buffer.from('one'))]);
  const damaged = (change: (batch: Buffer) => void): Buffer => {
    const batch = Buffer.from(good);
    change(batch);
    return batch;
  };
  const cases = {
    'zero length': Buffer.alloc(100),
    'shorter than a CID': damaged((batch) => batch.writeUInt8(35, 0)),
    'endless varint': Buffer.alloc(100, 0xff),
    'longer than a block may be': Buffer.concat([Buffer.from([0xff, 0xff, 0xff, 0x7f]), good]),
    CIDv0: damaged((batch) => batch.writeUInt8(0x12, 1)),
    'other codec': damaged((batch) => batch.writeUInt8(0x71, 2)),
    'other hash': damaged((batch) => batch.writeUInt8(0x13, 3)),
    'other digest length': damaged((batch) => batch.writeUInt8(16, 4)),
  };
  for (const [what, batch] of Object.entries(cases)) assert.throws(() => new SectionCursor(batch).next(), { code: 'DAMAGE' }, what);
});

test('the largest block fits a section, one byte more does not', () => {
  const batch = Buffer.alloc(sectionHeaderBytes(MAX_BLOCK_BYTES + 1) + MAX_BLOCK_BYTES + 1);
  writeSectionHeader(batch, 0, RAW, Buffer.alloc(32), 0, MAX_BLOCK_BYTES);
  const cursor = new SectionCursor(batch);
  assert.ok(cursor.next());
  assert.equal(cursor.end - cursor.dataAt, MAX_BLOCK_BYTES);
  writeSectionHeader(batch, 0, RAW, Buffer.alloc(32), 0, MAX_BLOCK_BYTES + 1);
  assert.throws(() => new SectionCursor(batch).next(), { code: 'DAMAGE' });
});
