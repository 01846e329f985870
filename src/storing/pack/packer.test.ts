import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { CarReader } from '@ipld/car/reader';
import fc from 'fast-check';
import { sha256 } from '../../dag/cid.ts';
import { BatchBuilder, type FinishedFiles, ownBlocks } from '../../shard/batch.ts';
import type { PackedShard } from './open-shard.ts';
import { Packer } from './packer.ts';

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'shardctl-pack-'));
});
afterEach(() => rmSync(dir, { recursive: true }));

/** Blocks by number, all different. One is empty, and some are so large that they are written as they come. */
const LENGTHS = [5, 7, 100, 1000, 3000, 600_000];
const blockOf = (n: number): Buffer => Buffer.alloc(n === 0 ? 0 : (LENGTHS[n % LENGTHS.length] ?? 0), `${n} `);
const hexOf = (n: number): string => Buffer.from(sha256(blockOf(n))).toString('hex');

const counting = (first: number) => async () => first++;

/** In a shard of the index already. */
const OLD_SHARD = 7;
const isOld = (n: number): boolean => n % 5 === 4;

const hexes = (digests: Buffer): string[] => digests.toString('hex').match(/.{64}/g) ?? [];

const input = fc.record({
  batches: fc.array(fc.array(fc.nat(60), { maxLength: 30 }), { maxLength: 12 }),
  shardBytes: fc.constantFrom(1, 500, 4000, 700_000, 2_000_000),
  /** After how many more sealed shards the index knows one. */
  delay: fc.nat(3),
});

/** What a run notes of its files: so many of the blocks, in order, are in the shards up to this one, or were met. */
interface Note {
  readonly blocks: number;
  readonly shard: number;
}

interface Packed {
  readonly shards: readonly PackedShard[];
  readonly met: ReadonlySet<number>;
  readonly notes: readonly Note[];
  readonly packer: Packer;
}

interface Input {
  readonly batches: readonly (readonly number[])[];
  readonly shardBytes: number;
  readonly delay: number;
}

/** Each block is a file, so that what is noted of the files says which blocks were packed. */
class Notes {
  readonly met = new Set<number>();
  readonly notes: Note[] = [];
  #before = 0;
  #files: FinishedFiles | undefined;
  #bytes = 0;

  add(files: FinishedFiles, bytes: number): void {
    if (files !== this.#files) this.#before += this.#files?.ends.length ?? 0;
    else assert.ok(bytes >= this.#bytes);
    this.#files = files;
    this.#bytes = bytes;
  }

  meets(shard: number): void {
    this.met.add(shard);
  }

  sealed(shard: number): void {
    const ends = Array.from(this.#files?.ends ?? []);
    this.notes.push({ shard, blocks: this.#before + ends.filter((end) => end <= this.#bytes).length });
  }

  cover(): void {
    this.sealed(this.notes.at(-1)?.shard ?? 0);
  }
}

async function pack({ batches, shardBytes, delay }: Input): Promise<Packed> {
  const shards: PackedShard[] = [];
  const pending = new Notes();
  /** The index: digests to shards. */
  const listed = new Map<string, number>();
  for (let n = 0; n <= 60; n++) if (isOld(n)) listed.set(hexOf(n), OLD_SHARD);
  const place = (shard: PackedShard) => {
    const digests = shard.digests.digests();
    for (let at = 0; at < digests.length; at += 32) listed.set(digests.toString('hex', at, at + 32), shard.number);
    packer.placed(shard.number);
  };
  const take = (shard: PackedShard) => {
    shards.push(shard);
    const due = shards.at(-1 - delay);
    if (due !== undefined) place(due);
  };
  const shardOf = (digest: Uint8Array, at: number) => listed.get(Buffer.from(digest).toString('hex', at, at + 32));
  const packer = new Packer({ shardBytes, spool: dir, takeNumber: counting(100), shardOf, pending });
  let released = 0;
  for (const numbers of batches) {
    const builder = new BatchBuilder();
    const ends: number[] = [];
    for (const n of numbers) {
      builder.add(blockOf(n));
      ends.push(builder.length);
    }
    const finished = { directories: [], indexes: [], ends };
    for await (const shard of packer.add({ kind: 'blocks', batch: builder.take(), finished, release: () => released++ })) take(shard);
  }
  const last = await packer.seal();
  if (last !== undefined) take(last);
  assert.equal(released, batches.length);
  return { shards, met: pending.met, notes: pending.notes, packer };
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
      assert.equal(packer.newBlocks, right.shards.flat().length);
      for (const [i, shard] of shards.entries()) await assertCar(shard, right.shards[i] ?? []);
      assert.deepEqual(readdirSync(dir), []);
    }),
    { numRuns: 40 },
  );
});

test('files are noted under a shard only when all of their blocks are in it, in one before it, or were met', async () => {
  await fc.assert(
    fc.asyncProperty(input, async ({ batches, shardBytes, delay }) => {
      for (const name of readdirSync(dir)) rmSync(join(dir, name));
      const { shards, notes } = await pack({ batches, shardBytes, delay });
      const numbers = batches.flat();
      for (const note of notes) {
        const there = new Set(shards.filter(({ number }) => number <= note.shard).flatMap(({ digests }) => hexes(digests.digests())));
        const lacking = numbers.slice(0, note.blocks).filter((n) => !isOld(n) && !there.has(hexOf(n)));
        assert.deepEqual(lacking, [], `noted under shard ${note.shard}`);
      }
      // And in the end all of them are.
      if (numbers.length > 0) assert.equal(notes.at(-1)?.blocks, numbers.length);
    }),
    { numRuns: 40 },
  );
});

/** The CAR has these blocks, in order, then the manifest, and the root that the shard says; it goes then. */
async function assertCar({ carPath, cid, carBytes, bytes, blocks }: PackedShard, numbers: readonly number[]): Promise<void> {
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

/** Packs one block after the other, each in a batch of its own. */
async function packEach(packer: Packer, blocks: readonly Buffer[]): Promise<PackedShard[]> {
  const shards: PackedShard[] = [];
  for (const block of blocks) {
    const builder = new BatchBuilder();
    builder.add(block);
    for await (const shard of packer.add(ownBlocks(builder.take()))) shards.push(shard);
  }
  return shards;
}

test('a block comes again: the packer knows it until its shard is placed, and from then on the index alone says where it is', async () => {
  const packer = new Packer({ shardBytes: 1, spool: dir, takeNumber: counting(7), shardOf: () => undefined });
  const [block, other] = [Buffer.from('a block'), Buffer.from('another')];
  const [first] = await packEach(packer, [block, other, block]);
  assert.deepEqual([first?.number, packer.sealed, [...packer.reusedShards]], [7, [7], [7]]);
  packer.placed(7);
  const [second] = await packEach(packer, [block]);
  assert.equal(second?.number, 8);
  await packer.abandon();
});

test('a shard is sealed at 65,536 blocks', async () => {
  const packer = new Packer({ shardBytes: 2 ** 30, spool: dir, takeNumber: counting(0), shardOf: () => undefined });
  const sizes: number[] = [];
  for (let first = 0; first < 65_536 + 10; first += 4096) {
    const builder = new BatchBuilder();
    for (let i = first; i < Math.min(first + 4096, 65_536 + 10); i++) builder.add(Buffer.from(`${i}`));
    for await (const { blocks } of packer.add(ownBlocks(builder.take()))) sizes.push(blocks);
  }
  sizes.push((await packer.seal())?.blocks ?? 0);
  assert.deepEqual(sizes, [65_536, 10]);
});

test('an open shard that is given up leaves nothing in the spool', async () => {
  const packer = new Packer({ shardBytes: 1000, spool: dir, takeNumber: counting(0), shardOf: () => undefined });
  // The file may not be there yet: it is opened while the first blocks are gathered.
  await packEach(packer, [Buffer.from('a block')]);
  await packer.abandon();
  assert.deepEqual(readdirSync(dir), []);
});

test('what the peers have no room for is refused before it is packed', async () => {
  const roomFor = (bytes: number) => {
    if (bytes > 5000) throw new RangeError('no room');
    return 5000;
  };
  const packer = new Packer({ shardBytes: 10 ** 6, spool: dir, takeNumber: counting(0), shardOf: () => undefined, roomFor });
  const blocks = Array.from({ length: 5 }, (_, n) => Buffer.alloc(1000, `${n}`));
  await packEach(packer, blocks.slice(0, 4));
  await assert.rejects(packEach(packer, blocks.slice(4)), RangeError);
  await packer.abandon();
});
