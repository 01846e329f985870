/** What is read of a CAR without its whole manifest. */
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import fc from 'fast-check';
import { sha256 } from '../../../dag/cid.ts';
import { makeBlocks, makeShard } from '../../../testing/shards.ts';
import { CarGlance, Glances } from './car-glance.ts';

let dir: string;
before(() => {
  dir = mkdtempSync(join(tmpdir(), 'shardctl-glance-'));
});
after(() => rmSync(dir, { recursive: true, force: true }));

/** More than eight nodes of 256 blocks, the lengths of which take one to three bytes. */
const blocks = makeBlocks(2500, 40).map((block, i) =>
  i % 97 === 0 ? Buffer.concat([block, Buffer.alloc(i % 2 === 0 ? 200 : 20_000)]) : block,
);

test('each block of a large shard is found as it is', () => {
  const { carPath, cid, data } = makeShard(dir, blocks);
  const glance = CarGlance.of(carPath, cid);
  assert.ok(glance);
  for (const block of data) assert.deepEqual(glance.block(sha256(block)), Buffer.from(block));
  assert.equal(glance.block(sha256(Buffer.from('of no shard'))), undefined);
});

test('of a CAR that is changed or cut anywhere a block is given as it was, or not at all', () => {
  const { carPath, cid, data } = makeShard(dir, blocks);
  const car = readFileSync(carPath);
  const broken = join(dir, 'broken.car');
  const place = fc.integer({ min: 0, max: car.length - 1 });
  const numbers = fc.array(fc.integer({ min: 0, max: data.length - 1 }), { minLength: 5, maxLength: 5 });
  fc.assert(
    fc.property(fc.array(place, { maxLength: 50 }), fc.option(place), numbers, (flips, cut, asked) => {
      const bytes = Buffer.from(car);
      for (const at of flips) bytes.writeUInt8(bytes.readUInt8(at) ^ 0x55, at);
      writeFileSync(broken, bytes.subarray(0, cut ?? bytes.length));
      const glance = CarGlance.of(broken, cid);
      for (const number of asked) {
        const block = data[number] as Uint8Array;
        const found = glance?.block(sha256(block));
        if (found !== undefined) assert.deepEqual(found, Buffer.from(block));
      }
    }),
    { numRuns: 60 },
  );
});

test('a small shard, one that is not there, and one of which many blocks were asked for have to be opened', () => {
  const large = makeShard(dir, blocks);
  const small = makeShard(dir, makeBlocks(300, 40));
  const glances = new Glances((cid) => (cid === large.cid ? large.carPath : cid === small.cid ? small.carPath : join(dir, 'none.car')));
  const digestOf = (number: number) => sha256(large.data[number] as Uint8Array);
  assert.equal(glances.block(small.cid, sha256(small.data[0] as Uint8Array)), undefined);
  assert.equal(glances.block(makeShard(dir, makeBlocks(2, 40)).cid, digestOf(0)), undefined);
  const found = Array.from({ length: 100 }, (_, i) => glances.block(large.cid, digestOf(i))).filter((block) => block !== undefined);
  assert.equal(found.length, 32);
});
