import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import fc from 'fast-check';
import { type BlockId, type Codec, DAG_PB, RAW } from '../../core/model.ts';
import { decodeNode } from '../../dag/node-reader.ts';
import { PlacedBlocks } from '../../testing/placed-blocks.ts';
import { fileBytes } from './file-bytes.ts';
import type { FileToRead } from './file-leaves.ts';

let dir: string;
before(async () => {
  dir = await mkdtemp(join(tmpdir(), 'shardctl-file-bytes-'));
});
after(async () => await rm(dir, { recursive: true }));

const placed = (misses?: number) => new PlacedBlocks(join(dir, `${Math.random()}`), misses);
const hex = (digest: Uint8Array) => Buffer.from(digest).toString('hex');

/** A part of a file: a raw leaf, or a node with data and parts, whose sizes it says or not. */
interface PartSpec {
  readonly leaf?: { readonly byte: number; readonly length: number; readonly gap: number | undefined; readonly isBad: boolean };
  readonly data?: string;
  readonly parts?: readonly PartSpec[];
  readonly hasSizes?: boolean;
}

const leaf = fc.record({
  leaf: fc.record({
    byte: fc.nat(3),
    length: fc.nat(20),
    gap: fc.constantFrom(undefined, 0, 39, 39, 39, 64, 65, 4096),
    isBad: fc.constantFrom(false, false, false, true),
  }),
});
const { part } = fc.letrec<{ part: PartSpec }>((tie) => ({
  part: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    leaf,
    fc.record({
      data: fc.constantFrom('', '', 'some data'),
      parts: fc.array(tie('part'), { maxLength: 6 }),
      hasSizes: fc.boolean(),
    }),
  ),
}));

interface Built {
  readonly codec: Codec;
  readonly digest: Uint8Array;
  readonly bytes: Buffer;
  readonly block: Buffer;
}

function build(spec: PartSpec, blocks: PlacedBlocks): Built {
  if (spec.leaf !== undefined) {
    const block = Buffer.alloc(spec.leaf.length, spec.leaf.byte);
    return { codec: RAW, digest: blocks.put(block, spec.leaf.gap, spec.leaf.isBad), bytes: block, block };
  }
  const parts = (spec.parts ?? []).map((below) => build(below, blocks));
  const data = Buffer.from(spec.data ?? '');
  const bytes = Buffer.concat([data, ...parts.map((below) => below.bytes)]);
  const sizes = spec.hasSizes === true ? parts.map((below) => below.bytes.length) : [];
  const block = nodeOf(parts, data, bytes.length, sizes);
  return { codec: DAG_PB, digest: blocks.put(block), bytes, block };
}

/** A file's node, byte by byte: encoders of the program make none that leaves out sizes, or lies. */
function nodeOf(links: readonly BlockId[], data: Uint8Array, fileBytes: number, sizes: readonly number[]): Buffer {
  const unixFs = [Buffer.from([8, 2]), ...(data.length > 0 ? [field(2, data)] : []), Buffer.concat([Buffer.from([24]), varint(fileBytes)])];
  for (const size of sizes) unixFs.push(Buffer.concat([Buffer.from([32]), varint(size)]));
  const rows = links.map(({ codec, digest }) => field(2, field(1, Buffer.concat([Buffer.from([1, codec, 0x12, 32]), digest]))));
  return Buffer.concat([...rows, field(1, Buffer.concat(unixFs))]);
}

function field(number: number, bytes: Uint8Array): Buffer {
  return Buffer.concat([Buffer.from([number * 8 + 2]), varint(bytes.length), bytes]);
}

function varint(value: number): Buffer {
  const bytes: number[] = [];
  for (let rest = value; ; rest = Math.floor(rest / 128)) {
    if (rest < 128) return Buffer.from([...bytes, rest]);
    bytes.push((rest % 128) + 128);
  }
}

function fileOf({ codec, digest, block }: Built): FileToRead {
  return { codec, digest, node: codec === RAW ? undefined : decodeNode(block) };
}

async function collected(windows: AsyncIterable<readonly Uint8Array[]>): Promise<Buffer> {
  const parts: Buffer[] = [];
  for await (const window of windows) for (const bytes of window) parts.push(Buffer.from(bytes));
  return Buffer.concat(parts);
}

test('a range of a file is that slice of the whole, whatever its nodes are like and wherever its leaves lie, also in damaged files', async () => {
  await fc.assert(
    fc.asyncProperty(
      part,
      fc.array(fc.nat(300), { minLength: 2, maxLength: 6 }),
      fc.boolean(),
      fc.nat(5),
      async (spec, ends, isCut, misses) => {
        const blocks = placed(misses);
        try {
          const built = build(spec, blocks);
          if (isCut) blocks.cut();
          // The later ranges meet leaves that are known to be intact, and are read in part.
          for (const [i, end] of ends.entries()) {
            const other = ends[i - 1] ?? 0;
            const [from, to] = [Math.min(end, other, built.bytes.length), Math.min(Math.max(end, other), built.bytes.length)];
            const bytes = await collected(fileBytes(fileOf(built), from, to, blocks, i % 2 === 0));
            assert.deepEqual(bytes, built.bytes.subarray(from, to));
            assert.equal(blocks.holders, 0, 'no file is held any more');
          }
        } finally {
          blocks.close();
        }
      },
    ),
    { numRuns: 500 },
  );
});

test('a leaf that is known to be intact is not hashed again, and one that is not in memory is', async () => {
  for (const [misses, hashed] of [
    [100, 3],
    [0, 9],
  ] as const) {
    const blocks = placed(misses);
    const leaves = Array.from({ length: 3 }, (_, i) => ({ codec: RAW as Codec, digest: blocks.put(Buffer.alloc(1000, i), 39) }));
    const root = nodeOf(leaves, Buffer.alloc(0), 3000, [1000, 1000, 1000]);
    const file = { codec: DAG_PB, digest: blocks.put(root), node: decodeNode(root) } as const;
    for (let i = 0; i < 3; i++) await collected(fileBytes(file, 0, 3000, blocks));
    assert.equal(blocks.hashed, hashed);
    blocks.close();
  }
});

test('a reader who stops anywhere lets go of every file', async () => {
  await fc.assert(
    fc.asyncProperty(part, fc.nat(6), async (spec, windows) => {
      const blocks = placed();
      try {
        const built = build(spec, blocks);
        const reading = fileBytes(fileOf(built), 0, built.bytes.length, blocks);
        for (let i = 0; i < windows; i++) await reading.next();
        await reading.return();
        assert.equal(blocks.holders, 0);
      } finally {
        blocks.close();
      }
    }),
    { numRuns: 200 },
  );
});

test('only the parts that a range needs are read', async () => {
  const blocks = placed();
  const leaves = Array.from({ length: 9 }, (_, i) => Buffer.alloc(10, i)).map((block) => ({
    codec: RAW as Codec,
    digest: blocks.put(block),
    block,
  }));
  const halves = [leaves.slice(0, 5), leaves.slice(5)].map((some) => {
    const bytes = some.length * 10;
    const block = nodeOf(
      some,
      Buffer.alloc(0),
      bytes,
      some.map(() => 10),
    );
    return { codec: DAG_PB as Codec, digest: blocks.put(block), bytes };
  });
  const root = nodeOf(halves, Buffer.alloc(0), 90, [50, 40]);
  const file = { codec: DAG_PB, digest: blocks.put(root), node: decodeNode(root) } as const;
  assert.equal((await collected(fileBytes(file, 65, 66, blocks))).toString('hex'), '06');
  assert.deepEqual(
    blocks.asked,
    [halves[1], leaves[6]].map((it) => hex(it?.digest ?? new Uint8Array(0))),
  );
  blocks.close();
});

test('neighbouring leaves come together, and a window doubles with each that was asked for', async () => {
  const blocks = placed();
  const leaves = Array.from({ length: 15 }, (_, i) => ({ codec: RAW as Codec, digest: blocks.put(Buffer.alloc(1000, i), 39) }));
  const root = nodeOf(
    leaves,
    Buffer.alloc(0),
    15_000,
    leaves.map(() => 1000),
  );
  const lengths: number[] = [];
  for await (const window of fileBytes({ codec: DAG_PB, digest: blocks.put(root), node: decodeNode(root) }, 0, 15_000, blocks))
    lengths.push(window.length);
  assert.equal(lengths[0], 1);
  assert.ok(
    lengths.every((length, at) => at < 2 || at === lengths.length - 1 || length > (lengths[at - 1] ?? 0)),
    `${lengths}`,
  );
  blocks.close();
});

test('a node that lies about sizes is damage, and nothing beyond what the file says is given out', async () => {
  const blocks = placed();
  const one = { codec: RAW, digest: blocks.put(Buffer.alloc(10, 1)) } as const;
  const lies: readonly (readonly [why: string, block: Buffer, says: number])[] = [
    ['a leaf of another size', nodeOf([one], Buffer.alloc(0), 20, [20]), 20],
    ['sizes that make up another whole', nodeOf([one, one], Buffer.alloc(0), 30, [10, 10]), 30],
    ['more than it says, without sizes', nodeOf([one, one], Buffer.alloc(0), 15, []), 15],
    ['less than it says, without sizes', nodeOf([one], Buffer.alloc(0), 15, []), 15],
    ['sizes for some of its parts', nodeOf([one, one], Buffer.alloc(0), 20, [10]), 20],
    ['data beyond what it says', nodeOf([], Buffer.alloc(9), 5, []), 5],
  ];
  for (const [why, block, says] of lies) {
    const given: Uint8Array[] = [];
    const file = { codec: DAG_PB, digest: blocks.put(block), node: decodeNode(block) } as const;
    const reading = (async () => {
      for await (const window of fileBytes(file, 0, says, blocks)) given.push(...window.map((bytes) => Buffer.from(bytes)));
    })();
    await assert.rejects(reading, { code: 'DAMAGE' }, why);
    assert.ok(Buffer.concat(given).length <= says, why);
  }
  blocks.close();
});
