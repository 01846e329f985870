/** Streams that break off anywhere, one after another: what is written is right, whatever came of a block before. */
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import { sha256 } from '../dag/cid.ts';
import { profileOf } from '../dag/cid-profile.ts';
import { GATEWAY_LIMITS } from '../gateway/failure.ts';
import { CAR_HEADER_BYTES, sectionHeaderBytes } from '../shard/car.ts';
import { sampled } from '../testing/depth.ts';
import { treeState } from '../testing/hard-tree.ts';
import { MemoryBlocks } from '../testing/memory-blocks.ts';
import { makeShard, type TestShard } from '../testing/shards.ts';
import { hex, StreamedShards } from '../testing/streamed-shards.ts';
import { treeRoot } from '../testing/tree-root.ts';
import { get } from './get.ts';
import type { ShardStream } from './shard-stream.ts';

/** Where an answer ends, or has a wrong byte: so many blocks behind its beginning, and so many bytes of the next one. */
interface Cut {
  readonly blocks: number;
  readonly bytes: number;
  readonly isLie: boolean;
}

const cut = fc.record({
  blocks: fc.oneof(fc.nat(3), fc.nat(20)),
  bytes: fc.oneof(fc.nat(2), fc.nat(200), fc.nat(300_000)),
  isLie: fc.constantFrom(false, false, false, true),
});
/** The first stream ends within a root whose leaf it gave, and the second before it gives anything. */
const twiceInARoot: Cut[] = [
  { blocks: 4, bytes: 40, isLie: false },
  { blocks: 0, bytes: 0, isLie: false },
];
const form = fc.constantFrom('car', 'header', 'query', 'gateways');
/** Leaves of one file each; some fill the buffers into which they are read. */
const size = fc.constantFrom(1, 40, 1000, 1000, 40_000, 700_000);

function cutOff(bytes: Buffer, ends: readonly number[], { blocks, bytes: more, isLie }: Cut): Buffer {
  const at = Math.min((blocks === 0 ? 0 : (ends[blocks - 1] ?? bytes.length)) + more, bytes.length);
  if (!isLie || at === bytes.length) return bytes.subarray(0, at);
  const spoilt = Buffer.from(bytes);
  spoilt[at] = (spoilt[at] as number) ^ 1;
  return spoilt;
}

/** Where each block ends, counted from `from`, which lies in one of them or between two. */
function endsFrom(from: number, at: number, lengths: readonly number[], head: (length: number) => number): number[] {
  const ends: number[] = [];
  for (const length of lengths) {
    at += head(length) + length;
    if (at > from) ends.push(at - from);
  }
  return ends;
}

test('wherever streams break off, and however many do in a row: no file has other bytes than its own', async (t) => {
  const dir = mkdtempSync(join(tmpdir(), 'shardctl-cuts-'));
  t.after(() => rmSync(dir, { recursive: true, force: true }));
  let shard: TestShard | undefined;
  let cuts: Cut[] = [];
  const server = createServer((request, response) => {
    const data = shard?.data ?? [];
    const file = Buffer.concat(data);
    const { searchParams } = new URL(request.url ?? '', 'http://x');
    const range = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? '');
    const from = Number(range?.[1] ?? searchParams.get('offset') ?? 0);
    const to = range === null ? from + Number(searchParams.get('length') ?? file.length) : Number(range[2]) + 1;
    const part = file.subarray(from, to);
    const lengths = data.map(({ length }) => length);
    const next = cuts.shift();
    const sent =
      next === undefined
        ? part
        : cutOff(
            part,
            endsFrom(from, 0, lengths, () => 0),
            next,
          );
    const contentRange = range === null ? {} : { 'content-range': `bytes ${from}-${to - 1}/${file.length}` };
    response.writeHead(range === null ? 200 : 206, { 'content-length': part.length, ...contentRange });
    if (sent.length === part.length) response.end(sent);
    else response.write(sent, () => response.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => server.close());
  const { port } = server.address() as AddressInfo;
  // Names of their own, as a daemon that fails twice is not asked again.
  const urlOf = (number: number) => `http://127.0.0.${1 + number}:${port}`;
  await fc.assert(
    fc.asyncProperty(
      fc.array(size, { minLength: 1, maxLength: 8 }),
      fc.array(form, { minLength: 1, maxLength: 4 }),
      fc.array(cut, { maxLength: 10 }),
      fc.constantFrom(0, 1, 4),
      // Answers that are long come by another transport.
      fc.constantFrom(1, GATEWAY_LIMITS.longBytes),
      async (sizes, forms, allCuts, lost, longBytes) => {
        const base = mkdtempSync(join(dir, 'round-'));
        const source = join(base, 'source');
        mkdirSync(source);
        for (const [number, bytes] of sizes.entries()) {
          const path = join(source, String(number));
          writeFileSync(path, Buffer.alloc(bytes, `content ${number} `));
          utimesSync(path, 1_700_000_000, 1_700_000_000);
        }
        const blocks = new MemoryBlocks();
        const made = new Map<string, Buffer>();
        const emit = (block: Buffer) => {
          made.set(hex(sha256(block)), block);
          return blocks.put(block);
        };
        const root = await treeRoot(source, { profile: profileOf('unixfs-v1-2025'), metadata: true, emit });
        const packed = makeShard(base, [...made.values()]);
        shard = packed;
        cuts = [...allCuts];
        const car = readFileSync(packed.carPath);
        const carEnds = endsFrom(
          0,
          CAR_HEADER_BYTES,
          packed.data.map(({ length }) => length),
          sectionHeaderBytes,
        );
        const limits = { ...GATEWAY_LIMITS, firstPauseMs: 1, longBytes };
        const streams = forms.map((kind, number): ShardStream => {
          if (kind === 'gateways') return { form: 'gateways', addresses: [{ url: urlOf(number) }, { url: urlOf(number + 10) }], limits };
          if (kind !== 'car')
            return { form: 'file', url: `${urlOf(number)}/?x=1`, method: 'POST', headers: {}, range: kind as 'header' | 'query' };
          const path = join(base, `${number}.car`);
          const next = cuts.shift();
          writeFileSync(path, next === undefined ? car : cutOff(car, carEnds, next));
          return { form: 'car', path };
        });
        const shards = Object.assign(new StreamedShards([packed]), { streams: async () => streams });
        // What is late is read by its block, unless that is lost.
        for (const [number, block] of packed.data.entries())
          if (lost > 0 && number % 4 >= 4 - lost && number < packed.data.length - 1) blocks.drop(sha256(block));
        const out = join(base, 'out');
        const { counts } = await restored(root, blocks, shards, out);
        const right = treeState(source);
        let whole = 0;
        for (const [path, entry] of treeState(out) ?? []) {
          if (path === '') continue;
          assert.deepEqual(entry, right?.get(path), path);
          whole++;
        }
        assert.equal(counts.files, whole);
        if (lost === 0) assert.equal(whole, sizes.length);
        rmSync(base, { recursive: true });
      },
    ),
    { numRuns: sampled(30, 400), examples: [[[1000, 1, 40, 40_000, 1], ['gateways'], twiceInARoot, 0, 1]] },
  );

  async function restored(root: Parameters<typeof get>[0]['root'], blocks: MemoryBlocks, shards: StreamedShards, out: string) {
    const signal = new AbortController().signal;
    return { counts: await get({ root, path: '', out, blocks, shards, emit: () => {}, signal, specialBits: true }) };
  }
});
