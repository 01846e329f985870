import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import fc from 'fast-check';
import { DAG_PB, RAW } from '../../core/model.ts';
import type { DagNode } from '../../dag/node-reader.ts';
import type { Extent, OpenFile } from '../stored/stored-blocks.ts';
import type { FileBlocks, FileToRead } from './file-leaves.ts';
import { holdFiles } from './held-files.ts';

const LEAF_BYTES = 10;
const ROOT = Buffer.alloc(32, 255);

/** A file whose leaves lie in several CARs, those of odd numbers not open yet, and its root in the last one. */
class SpreadFile {
  readonly holders: number[];
  readonly file: FileToRead;
  readonly blocks: FileBlocks;

  /** @param cars the number of the CAR of each leaf */
  constructor(cars: readonly number[], count: number) {
    this.holders = Array(count).fill(0);
    const add = (car: number, by: number) => {
      this.holders[car] = (this.holders[car] as number) + by;
    };
    const files = this.holders.map((_, car) => ({ hold: () => add(car, 1), release: () => add(car, -1) }));
    const carOf = (digest: Uint8Array) => (digest[0] === 255 ? count - 1 : (cars[Buffer.from(digest).readUInt32BE(28)] as number));
    const extentOf = (digest: Uint8Array): Extent => ({ file: files[carOf(digest)] as unknown as OpenFile, at: 0, length: LEAF_BYTES });
    this.blocks = {
      read: () => assert.fail('leaves are not read'),
      sizeOf: async () => LEAF_BYTES,
      extentNow: (digest) => (carOf(digest) % 2 === 0 || digest[0] === 255 ? extentOf(digest) : undefined),
      extentOf: async (digest) => extentOf(digest),
    };
    const links = cars.map((_, leaf) => {
      const digest = Buffer.alloc(32);
      digest.writeUInt32BE(leaf, 28);
      return { codec: RAW, digest };
    });
    const node = { type: 'file', fileBytes: cars.length * LEAF_BYTES, blockSizes: cars.map(() => LEAF_BYTES), links } as unknown as DagNode;
    this.file = { codec: DAG_PB, digest: ROOT, node };
  }
}

async function settled(): Promise<void> {
  for (let turn = 0; turn < 5; turn++) await setImmediate();
}

test('what the ranges of all readers need is held, once for those of one range, until the last of them lets go', async () => {
  const step = fc.record({ from: fc.nat(8), length: fc.integer({ min: 1, max: 8 }), letsGo: fc.boolean(), which: fc.nat() });
  await fc.assert(
    fc.asyncProperty(fc.array(fc.nat(4), { minLength: 1, maxLength: 8 }), fc.array(step, { maxLength: 12 }), async (cars, steps) => {
      const { holders, file, blocks } = new SpreadFile(cars, 6);
      const readers: { readonly from: number; readonly to: number; readonly letGo: () => Promise<void> }[] = [];
      for (const { from, length, letsGo, which } of steps) {
        if (letsGo && readers.length > 0) await readers.splice(which % readers.length, 1)[0]?.letGo();
        else {
          const [first, end] = [Math.min(from, cars.length - 1), Math.min(from + length, cars.length)];
          const [at, to] = [first * LEAF_BYTES, end * LEAF_BYTES];
          readers.push({ from: first, to: end, letGo: holdFiles(file, at, to, from % 2 === 0 ? blocks : { ...blocks, ofView: blocks }) });
        }
        await settled();
        const ranges = new Map(readers.map(({ from, to }) => [`${from} ${to}`, new Set([5, ...cars.slice(from, to)])]));
        const needed = holders.map((_, car) => [...ranges.values()].filter((its) => its.has(car)).length);
        assert.deepEqual(holders, needed);
      }
      for (const { letGo } of readers) await letGo();
      assert.ok(holders.every((count) => count === 0));
    }),
    { numRuns: 100 },
  );
});

test('who lets go at once leaves nothing held', async () => {
  const { holders, file, blocks } = new SpreadFile([0, 1, 2, 3, 4], 6);
  await holdFiles(file, 0, 50, blocks)();
  await settled();
  assert.deepEqual(holders, [0, 0, 0, 0, 0, 0]);
});

test('no more than 64 CARs are held for a file, and 128 for all', async () => {
  const count = (holders: readonly number[]) => holders.filter((its) => its > 0).length;
  const many = Array.from(
    { length: 3 },
    () =>
      new SpreadFile(
        Array.from({ length: 100 }, (_, leaf) => leaf),
        101,
      ),
  );
  const letGo = many.map(({ file, blocks }) => holdFiles(file, 0, 1000, blocks));
  await settled();
  const counts = many.map(({ holders }) => count(holders));
  assert.equal(
    counts.reduce((sum, its) => sum + its),
    128,
  );
  for (const each of letGo) await each();
  assert.equal(count(many.flatMap(({ holders }) => holders)), 0);
  const [first] = many;
  assert.ok(first);
  const again = holdFiles(first.file, 0, 1000, first.blocks);
  await settled();
  assert.equal(count(first.holders), 64);
  await again();
});
