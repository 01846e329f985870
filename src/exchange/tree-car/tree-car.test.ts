import assert from 'node:assert/strict';
import { beforeEach, test } from 'node:test';
import { CarWriter } from '@ipld/car';
import fc from 'fast-check';
import { CID } from 'multiformats/cid';
import { DAG_PB, RAW } from '../../core/model.ts';
import { type CidVersion, cidBytes, cidObject, parseCid } from '../../dag/cid.ts';
import { carSection, carV2, ForeignCar, varint } from '../../testing/foreign-car.ts';
import { inPieces } from '../../testing/tree-car.ts';
import { CarBytes } from './car-bytes.ts';
import { TreeCar } from './tree-car.ts';
import { treeCarHeader, treeSectionHead } from './write.ts';

let car: ForeignCar;
beforeEach(() => {
  car = new ForeignCar();
});

/** Reads to the end. @returns bytes of each block */
async function read(bytes: Buffer, pieceBytes = 50): Promise<number[]> {
  const lengths: number[] = [];
  for await (const block of (await TreeCar.open(inPieces(bytes, pieceBytes), 'a.car')).blocks()) lengths.push(block.bytes.length);
  return lengths;
}

const refused = (bytes: Buffer, message: RegExp) => assert.rejects(read(bytes), { code: 'DAMAGE', message });

test('header and sections are those that CarWriter of @ipld/car writes', async () => {
  const codecs = fc.constantFrom(RAW, DAG_PB);
  const blocks = fc.array(fc.record({ codec: codecs, digest: fc.uint8Array({ minLength: 32, maxLength: 32 }), bytes: fc.uint8Array() }), {
    minLength: 1,
    maxLength: 5,
  });
  const law = fc.asyncProperty(blocks, fc.constantFrom<CidVersion>(0, 1), async (blocks, version) => {
    const [root] = blocks;
    assert.ok(root !== undefined);
    const { writer, out } = CarWriter.create([cidObject(root, version)]);
    const written = (async () => {
      for (const block of blocks) await writer.put({ cid: CID.decode(cidBytes(block, version)), bytes: block.bytes });
      await writer.close();
    })();
    const expected: Uint8Array[] = [];
    for await (const piece of out) expected.push(piece);
    await written;
    const parts = blocks.flatMap((block) => [treeSectionHead(block, block.bytes.length, version), block.bytes]);
    assert.deepEqual(Buffer.concat([treeCarHeader(root, version), ...parts]), Buffer.concat(expected));
  });
  await fc.assert(law, { numRuns: 50 });
});

test('a CAR that is cut within its header or within a section is refused at whatever byte', async () => {
  const root = car.directory({ a: car.raw('hello'), b: car.raw('b'.repeat(300)) });
  const whole = car.v1(root);
  const { length } = treeCarHeader(parseCid(root.toString()), 1);
  const boundaries = new Set([whole.length, length]);
  let at = length;
  for (const bytes of await read(whole)) {
    at += varint(36 + bytes).length + 36 + bytes;
    boundaries.add(at);
  }
  for (let cut = 0; cut < whole.length; cut++) {
    if (boundaries.has(cut)) assert.ok((await read(whole.subarray(0, cut))).length < 3);
    else await refused(whole.subarray(0, cut), /not a CAR|cut off/);
  }
});

test('a CARv2 that is cut between two sections is refused, although each section is whole', async () => {
  const v1 = car.v1(car.directory({ a: car.raw('hello'), b: car.raw('world') }));
  const whole = carV2(v1);
  assert.deepEqual(await read(whole), await read(v1));
  const last = varint(36 + 5).length + 36 + 5;
  await refused(whole.subarray(0, whole.length - last), /cut off/);
});

test('what a section or a header claims is not made room for', async () => {
  const root = car.directory({});
  const header = car.v1(root);
  for (const claimed of [2 ** 21 + 37, 2 ** 31, 2 ** 40, 2 ** 49]) {
    const section = Buffer.concat([varint(claimed), root.bytes, Buffer.alloc(10)]);
    await refused(Buffer.concat([header, section]), /has a block of \d+ bytes/);
    await refused(Buffer.concat([varint(claimed), Buffer.alloc(100)]), /claims \d+ bytes|cut off/);
  }
  const longHash = Buffer.concat([varint(100), Buffer.of(1, 0x55, 0x12), varint(2 ** 40), Buffer.alloc(100)]);
  await refused(Buffer.concat([header, longHash]), /claims \d+ bytes/);
  const beyond = Buffer.concat([varint(10), root.bytes, Buffer.alloc(100)]);
  await refused(Buffer.concat([header, beyond]), /without a CID/);
});

test('a header whose roots are hidden behind a prototype is refused', async () => {
  const key = (name: string) => Buffer.of(0x60 + name.length, ...Buffer.from(name));
  const cbor = Buffer.concat([
    Buffer.of(0xa2),
    key('__proto__'),
    Buffer.of(0xa1),
    key('roots'),
    Buffer.of(0x81),
    key('abc'),
    key('version'),
    Buffer.of(1),
  ]);
  await refused(Buffer.concat([varint(cbor.length), cbor]), /not a CAR/);
});

test('a header that is nested a million deep is refused', async () => {
  const roots = Buffer.concat([Buffer.of(0xa2, 0x65, ...Buffer.from('roots')), Buffer.alloc(1_000_000, 0x81)]);
  await refused(Buffer.concat([varint(roots.length), roots]), /not a CAR/);
});

test('whatever the bytes, they are read or refused', async () => {
  const root = car.directory({ a: car.raw('hello'), b: car.raw('b'.repeat(200)) });
  const samples = [car.v1(root), carV2(car.v1(root), { padding: 9, index: Buffer.from('an index') })];
  const mutations = fc.array(fc.record({ at: fc.nat(), byte: fc.nat(255) }), { minLength: 1, maxLength: 4 });
  const law = fc.asyncProperty(fc.constantFrom(...samples), mutations, async (sample, mutations) => {
    const bytes = Buffer.from(sample);
    for (const { at, byte } of mutations) bytes[at % bytes.length] = byte;
    await read(bytes).catch((error: { code?: string }) => assert.ok(error.code === 'DAMAGE' || error.code === 'USAGE', String(error)));
  });
  await fc.assert(law, { numRuns: 500 });
});

test('a source that fails is not a damaged CAR', async () => {
  const whole = car.v1(car.directory({ a: car.raw('hello') }));
  for (const most of [5, whole.length - 3]) {
    const failing = (async function* () {
      yield whole.subarray(0, most);
      throw new Error('the disk is gone');
    })();
    await assert.rejects(async () => {
      for await (const _ of (await TreeCar.open(failing, 'a.car')).blocks());
    }, /^Error: the disk is gone$/);
  }
});

test('bytes that are passed over before they came in are not held', async () => {
  let given = 0;
  const endless = (async function* () {
    for (; given < 100; given++) yield Buffer.alloc(65_536, given);
  })();
  const bytes = new CarBytes(endless, 'a.car', 1000);
  await bytes.exactly(10, true);
  bytes.seek(65_536 * 50);
  assert.equal(given, 0);
  assert.deepEqual(await bytes.exactly(2, true), Buffer.of(50, 50));
  assert.equal(bytes.pos, 65_536 * 50 + 12);
  bytes.seek(65_536 * 1000);
  await assert.rejects(bytes.exactly(1), { code: 'DAMAGE' });
});

test('of blocks that no tree can have it is said how many were passed over', async () => {
  const root = car.directory({});
  const other = Buffer.from('a0', 'hex');
  const cbor = CID.createV1(0x71, root.multihash);
  const opened = await TreeCar.open(inPieces(Buffer.concat([car.v1(root), carSection({ cid: cbor, bytes: other })]), 7), 'a.car');
  let blocks = 0;
  for await (const _ of opened.blocks()) blocks++;
  assert.deepEqual([blocks, opened.foreign], [1, 1]);
});
