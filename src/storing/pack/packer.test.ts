import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { CarReader } from '@ipld/car/reader';
import fc from 'fast-check';
import { sha256 } from '../../dag/cid.ts';
import { BatchBuilder, type BlockBatch } from '../../shard/batch.ts';
import type { SpooledShard } from './open-shard.ts';
import { Packer } from './packer.ts';

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'shardctl-pack-'));
});
afterEach(() => rmSync(dir, { recursive: true }));

/** Blocks by number, all different. One is empty, and some are so large that they are written as they come. */
const LENGTHS = [5, 7, 100, 1000, 3000, 600_000];
const blockOf = (n: number): Buffer => Buffer.alloc(n === 0 ? 0 : (LENGTHS[n % LENGTHS.length] as number), `${n} `);
const hexOf = (n: number): string => Buffer.from(sha256(blockOf(n))).toString('hex');

/** In a shard of the index already. */
const OLD_SHARD = 7;
const isOld = (n: number): boolean => n % 5 === 4;

const input = fc.record({
  batches: fc.array(fc.array(fc.nat(60), { maxLength: 30 }), { maxLength: 12 }),
  shardBytes: fc.constantFrom(1, 500, 4000, 700_000, 2_000_000),
  /** After how many more sealed shards the index knows one. */
  delay: fc.nat(3),
});

interface Packed {
  readonly shards: readonly SpooledShard[];
  readonly met: ReadonlySet<number>;
  readonly packer: Packer;
}

async function pack({
  batches,
  shardBytes,
  delay,
}: {
  batches: readonly (readonly number[])[];
  shardBytes: number;
  delay: number;
}): Promise<Packed> {
  const shards: SpooledShard[] = [];
  const met = new Set<number>();
  /** The index: digests to shards. */
  const listed = new Map<string, number>();
  for (let n = 0; n <= 60; n++) if (isOld(n)) listed.set(hexOf(n), OLD_SHARD);
  const place = (shard: SpooledShard) => {
    const digests = shard.digests.digests();
    for (let at = 0; at < digests.length; at += 32) listed.set(digests.toString('hex', at, at + 32), shard.number);
    packer.placed(shard.number);
  };
  const packer: Packer = new Packer({
    shardBytes,
    spool: dir,
    firstNumber: 100,
    shardOf: (digest, at) => listed.get(Buffer.from(digest).toString('hex', at, at + 32)),
    onMet: (shard) => met.add(shard),
    onPacked: (step, bytes) => {
      const before = told.get(step) ?? 0;
      assert.ok(bytes >= before && bytes <= step.batch.length);
      told.set(step, bytes);
    },
    onSealed: async (shard) => {
      shards.push(shard);
      const due = shards.at(-1 - delay);
      if (due !== undefined) place(due);
    },
  });
  const told = new Map<BlockBatch, number>();
  const released = new Map<BlockBatch, number>();
  for (const numbers of batches) {
    const builder = new BatchBuilder();
    for (const n of numbers) builder.add(blockOf(n));
    const step: BlockBatch = { kind: 'blocks', batch: builder.take(), release: () => released.set(step, (released.get(step) ?? 0) + 1) };
    await packer.add(step);
    assert.equal(told.get(step), step.batch.length);
  }
  await packer.seal();
  assert.deepEqual(
    [...released.values()],
    batches.map(() => 1),
  );
  return { shards, met, packer };
}

/** The same with lists: which blocks each shard has. */
function expected(batches: readonly (readonly number[])[], shardBytes: number): { shards: number[][]; met: Set<number> } {
  const shards: number[][] = [];
  const whereIs = new Map<number, number>();
  const met = new Set<number>();
  let open: number[] | undefined;
  for (const n of batches.flat()) {
    const shard = isOld(n) ? OLD_SHARD : whereIs.get(n);
    if (shard !== undefined) {
      if (shard !== 100 + shards.length - 1 || open === undefined) met.add(shard);
      continue;
    }
    const bytes = open?.reduce((sum, it) => sum + blockOf(it).length, 0) ?? 0;
    if (open === undefined || bytes + blockOf(n).length > shardBytes) {
      open = [];
      shards.push(open);
    }
    open.push(n);
    whereIs.set(n, 100 + shards.length - 1);
  }
  return { shards, met };
}

test('each block is in exactly one shard, or was known: the shards are those that lists would give, and their CARs hold just that', async () => {
  await fc.assert(
    fc.asyncProperty(input, async ({ batches, shardBytes, delay }) => {
      for (const name of readdirSync(dir)) rmSync(join(dir, name));
      const { shards, met, packer } = await pack({ batches, shardBytes, delay });
      const right = expected(batches, shardBytes);
      assert.deepEqual(
        shards.map(({ digests }) => digests.digests().toString('hex')),
        right.shards.map((numbers) => numbers.map(hexOf).join('')),
      );
      assert.deepEqual([...met].sort(), [...right.met].sort());
      assert.deepEqual([...packer.reusedShards].sort(), [...right.met].sort());
      assert.deepEqual(
        packer.sealed,
        shards.map(({ number }) => number),
      );
      assert.deepEqual([packer.newBlocks, packer.isOpen], [right.shards.flat().length, false]);
      for (const [i, shard] of shards.entries()) await assertCar(shard, right.shards[i] as number[]);
      assert.deepEqual(readdirSync(dir), []);
    }),
    { numRuns: 40 },
  );
});

/** The CAR has these blocks, in order, then the manifest, and the root that the shard says; it goes then. */
async function assertCar({ carPath, cid, carBytes, bytes, blocks }: SpooledShard, numbers: readonly number[]): Promise<void> {
  const car = readFileSync(carPath);
  rmSync(carPath);
  assert.deepEqual([car.length, blocks], [carBytes, numbers.length]);
  assert.equal(
    bytes,
    numbers.reduce((sum, n) => sum + blockOf(n).length, 0),
  );
  const reader = await CarReader.fromBytes(car);
  assert.deepEqual((await reader.getRoots()).map(String), [cid]);
  const found: string[] = [];
  for await (const block of reader.blocks()) {
    const digest = Buffer.from(block.cid.multihash.digest).toString('hex');
    assert.equal(Buffer.from(sha256(Buffer.from(block.bytes))).toString('hex'), digest);
    found.push(digest);
  }
  assert.deepEqual(found.slice(0, numbers.length), numbers.map(hexOf));
  assert.ok(found.length > numbers.length, 'the manifest');
}

test('a shard is sealed at 65,536 blocks', async () => {
  const sizes: number[] = [];
  const onSealed = async ({ blocks, carPath }: SpooledShard) => {
    sizes.push(blocks);
    rmSync(carPath);
  };
  const packer = new Packer({ shardBytes: 2 ** 30, spool: dir, firstNumber: 0, shardOf: () => undefined, onSealed });
  for (let first = 0; first < 65_536 + 10; first += 4096) {
    const builder = new BatchBuilder();
    for (let i = first; i < Math.min(first + 4096, 65_536 + 10); i++) builder.add(Buffer.from(`${i}`));
    await packer.add({ kind: 'blocks', batch: builder.take(), release: () => {} });
  }
  await packer.seal();
  assert.deepEqual(sizes, [65_536, 10]);
});

test('an open shard that is given up leaves nothing in the spool', async () => {
  const packer = new Packer({ shardBytes: 1000, spool: dir, firstNumber: 0, shardOf: () => undefined, onSealed: async () => {} });
  const builder = new BatchBuilder();
  builder.add(Buffer.from('a block'));
  await packer.add({ kind: 'blocks', batch: builder.take(), release: () => {} });
  await packer.abandon();
  assert.deepEqual(readdirSync(dir), []);
});

test('what the peers have no room for is refused before it is packed', async () => {
  const roomFor = (bytes: number) => {
    if (bytes > 5000) throw new RangeError('no room');
    return 5000;
  };
  const packer = new Packer({
    shardBytes: 10 ** 6,
    spool: dir,
    firstNumber: 0,
    shardOf: () => undefined,
    roomFor,
    onSealed: async () => {},
  });
  const add = (n: number) => {
    const builder = new BatchBuilder();
    builder.add(Buffer.alloc(1000, `${n}`));
    return packer.add({ kind: 'blocks', batch: builder.take(), release: () => {} });
  };
  for (let n = 0; n < 4; n++) await add(n);
  await assert.rejects(add(4), RangeError);
  await packer.abandon();
});
