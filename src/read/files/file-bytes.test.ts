import assert from 'node:assert/strict';
import { closeSync, openSync, writeSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import fc from 'fast-check';
import { type BlockId, type Codec, DAG_PB, RAW } from '../../core/model.ts';
import { decodeNode } from '../../dag/node-reader.ts';
import { MemoryBlocks } from '../../testing/memory-blocks.ts';
import type { Extent, OpenFile } from '../stored/stored-blocks.ts';
import { fileBytes } from './file-bytes.ts';
import type { FileBlocks, FileToRead } from './file-leaves.ts';

let dir: string;
before(async () => {
  dir = await mkdtemp(join(tmpdir(), 'shardctl-file-bytes-'));
});
after(async () => await rm(dir, { recursive: true }));

/** Blocks in memory, of which some also lie in a file, as in a CAR. */
class Placed implements FileBlocks {
  readonly memory = new MemoryBlocks();
  readonly #extents = new Map<string, Extent>();
  readonly path = join(dir, `${Math.random()}`);
  readonly #fd = openSync(this.path, 'w+');
  readonly asked: string[] = [];
  holders = 0;
  #end = 0;

  readonly #file: OpenFile = {
    fd: this.#fd,
    hold: () => void this.holders++,
    release: () => void this.holders--,
  } as OpenFile;

  /** @param gap bytes before it @param isBad in the file it is another */
  put(block: Uint8Array, gap?: number, isBad = false): Uint8Array {
    const digest = this.memory.put(block);
    if (gap === undefined || this.#extents.has(hex(digest))) return digest;
    const at = this.#end + gap;
    const bytes = Buffer.from(block);
    if (isBad && bytes.length > 0) bytes.writeUInt8(bytes.readUInt8(0) ^ 1, 0);
    writeSync(this.#fd, bytes, 0, bytes.length, at);
    this.#end = at + bytes.length;
    this.#extents.set(hex(digest), { file: this.#file, at, length: bytes.length });
    return digest;
  }

  /** From here on the file is cut. */
  cut(): void {
    const key = [...this.#extents.keys()].at(-1);
    const last = key === undefined ? undefined : this.#extents.get(key);
    if (key !== undefined && last !== undefined) this.#extents.set(key, { ...last, at: last.at + 1000 });
  }

  async read(digest: Uint8Array): Promise<Uint8Array> {
    this.asked.push(hex(digest));
    return await this.memory.read(digest);
  }

  async sizeOf(digest: Uint8Array): Promise<number> {
    return (await this.memory.read(digest)).length;
  }

  extentNow(digest: Uint8Array): Extent | undefined {
    return digest[0] !== undefined && digest[0] < 128 ? this.#extents.get(hex(digest)) : undefined;
  }

  async extentOf(digest: Uint8Array): Promise<Extent | undefined> {
    return this.#extents.get(hex(digest));
  }

  close(): void {
    closeSync(this.#fd);
  }
}

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

function build(spec: PartSpec, blocks: Placed): Built {
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
    fc.asyncProperty(part, fc.nat(300), fc.nat(300), fc.boolean(), async (spec, a, b, isCut) => {
      const blocks = new Placed();
      try {
        const built = build(spec, blocks);
        if (isCut) blocks.cut();
        const [from, to] = [Math.min(a, b, built.bytes.length), Math.min(Math.max(a, b), built.bytes.length)];
        const bytes = await collected(fileBytes(fileOf(built), from, to, blocks));
        assert.deepEqual(bytes, built.bytes.subarray(from, to));
        assert.equal(blocks.holders, 0, 'no file is held any more');
      } finally {
        blocks.close();
      }
    }),
    { numRuns: 500 },
  );
});

test('a reader who stops anywhere lets go of every file', async () => {
  await fc.assert(
    fc.asyncProperty(part, fc.nat(6), async (spec, windows) => {
      const blocks = new Placed();
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
  const blocks = new Placed();
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
  const blocks = new Placed();
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
  const blocks = new Placed();
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
