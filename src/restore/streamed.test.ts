/** What is restored from streams of shards is what is restored block by block: the law that holds for any packing and any damage. */
import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, type TestContext, test } from 'node:test';
import fc from 'fast-check';
import type { Event } from '../core/events.ts';
import { DIGEST_BYTES, type Root } from '../core/model.ts';
import { sha256 } from '../dag/cid.ts';
import { profileOf } from '../dag/cid-profile.ts';
import { GATEWAY_LIMITS } from '../gateway/failure.ts';
import { sampled } from '../testing/depth.ts';
import { treeState, writeHardTree } from '../testing/hard-tree.ts';
import { MemoryBlocks } from '../testing/memory-blocks.ts';
import { makeShard, type TestShard } from '../testing/shards.ts';
import { hex, StreamedShards } from '../testing/streamed-shards.ts';
import { treeRoot } from '../testing/tree-root.ts';
import { type GetSummary, get } from './get.ts';
import type { ShardAccess } from './shard-tables.ts';

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'shardctl-streamed-'));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

interface Restored {
  readonly state: Map<string, unknown> | undefined;
  readonly counts: Omit<GetSummary, 'failure'>;
  /** Entries that were not restored, and why. */
  readonly lost: readonly string[];
  readonly warnings: readonly string[];
}

async function restored(root: Root, blocks: MemoryBlocks, shards: ShardAccess | undefined, out: string): Promise<Restored> {
  const lost: string[] = [];
  const warnings: string[] = [];
  const emit = (event: Event) => {
    if (event.type === 'warning') warnings.push(event.message);
    if (event.type === 'not-restored') lost.push(`${event.problem} ${event.path.slice(out.length)}`);
  };
  const signal = new AbortController().signal;
  const { failure: _, ...counts } = await get({ root, path: '', out, blocks, shards, emit, signal, specialBits: true });
  return { state: treeState(out), counts, lost: lost.sort(), warnings };
}

/** Few contents, so that files share leaves and whole roots; sizes around those of chunks. */
const CHUNK = 1000;
const contents = [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK, 5 * CHUNK + 7].flatMap((size) => [
  Buffer.alloc(size, 'ab'),
  Buffer.alloc(size),
  Buffer.from(Array.from({ length: size }, (__, i) => (i * 7 + (i >> 8)) & 0xff)),
]);

const file = fc.record({
  path: fc.array(fc.constantFrom('a', 'b', 'c', 'dd', 'e\xe4'), { minLength: 1, maxLength: 3 }).map((names) => names.join('/')),
  content: fc.nat(contents.length - 1),
  mode: fc.constantFrom(0o644, 0o644, 0o755, 0o4711, 0o000),
  mtime: fc.constantFrom(1, 1, 1_700_000_000),
  isLink: fc.constantFrom(false, false, false, true),
});

const packing = fc.record({
  /** Of the blocks: as they were made, or in another order. */
  order: fc.constantFrom('made', 'reversed', 'mixed'),
  /** Most blocks of a shard. */
  shardBlocks: fc.constantFrom(1, 2, 5, 30, 1000),
  /** One in so many blocks is hit by each of these; 0 is none. */
  damagedInStream: fc.constantFrom(0, 0, 3, 10),
  lost: fc.constantFrom(0, 0, 0, 7),
  unlisted: fc.constantFrom(0, 0, 5),
  withoutStream: fc.constantFrom(0, 0, 2),
  seed: fc.nat(1000),
});

const profiles = [profileOf('unixfs-v1-2025', `size-${CHUNK}`), profileOf('unixfs-v0-2015', `size-${CHUNK}`)];

test('whatever the tree, however it is packed, whatever is damaged: from streams comes what comes block by block', async () => {
  let round = 0;
  await fc.assert(
    fc.asyncProperty(
      fc.array(file, { maxLength: 20 }),
      packing,
      fc.constantFrom(...profiles),
      fc.boolean(),
      async (files, { order, shardBlocks, seed, ...hits }, profile, metadata) => {
        const base = join(dir, String(round++));
        const source = join(base, 'source');
        mkdirSync(source, { recursive: true });
        for (const { path, content, mode, mtime, isLink } of files) {
          const at = join(source, path);
          try {
            mkdirSync(dirname(at), { recursive: true });
            if (isLink) symlinkSync('a', at);
            else {
              writeFileSync(at, contents[content] as Buffer, { flag: 'wx' });
              utimesSync(at, mtime, mtime);
              chmodSync(at, mode);
            }
          } catch {
            // There is a file, or a directory, of that name.
          }
        }
        const blocks = new MemoryBlocks();
        const made = new Map<string, Buffer>();
        const emit = (block: Buffer) => {
          made.set(hex(sha256(block)), block);
          return blocks.put(block);
        };
        const root = await treeRoot(source, { profile, metadata, emit });
        const isHit = (block: Buffer, one: number, what: number) => one > 0 && ((sha256(block)[0] as number) + seed + what) % one === 0;
        let listed = [...made.values()].filter((block) => !isHit(block, hits.unlisted, 1));
        if (order === 'reversed') listed.reverse();
        else if (order === 'mixed')
          listed = listed.sort((a, b) => (sha256(a)[seed % DIGEST_BYTES] as number) - (sha256(b)[seed % DIGEST_BYTES] as number));
        const packed: TestShard[] = [];
        for (let at = 0; at < listed.length; at += shardBlocks) packed.push(makeShard(base, listed.slice(at, at + shardBlocks)));
        const shards = new StreamedShards(packed);
        for (const [number, { cid }] of packed.entries())
          if (hits.withoutStream > 0 && number % hits.withoutStream === 1) shards.withoutStream.add(cid);
        for (const { carPath, data } of packed) {
          const car = readFileSync(carPath);
          for (const block of data) {
            // What is lost is lost in the streams, too.
            const isBad = isHit(block as Buffer, hits.damagedInStream, 2) || isHit(block as Buffer, hits.lost, 3);
            if (block.length === 0 || !isBad) continue;
            const at = car.indexOf(Buffer.concat([sha256(block), block])) + DIGEST_BYTES;
            car[at] = (car[at] as number) ^ 1;
          }
          writeFileSync(carPath, car);
        }
        for (const block of made.values())
          if (block.length > 0 && isHit(block, hits.lost, 3) && hex(sha256(block)) !== hex(root.digest)) blocks.drop(sha256(block));
        const plain = await restored(root, blocks, undefined, join(base, 'plain'));
        const streamed = await restored(root, blocks, shards, join(base, 'streamed'));
        assert.deepEqual(streamed.lost, plain.lost);
        // The bytes of a file that is lost in the end count as far as they were written, which depends on their order.
        const bytes = plain.lost.length > 0 ? { bytes: 0 } : {};
        assert.deepEqual({ ...streamed.counts, ...bytes }, { ...plain.counts, ...bytes });
        if (metadata && plain.lost.length === 0) assert.deepEqual(streamed.state, plain.state);
        else assert.deepEqual(treeState(join(base, 'streamed'), false), treeState(join(base, 'plain'), false));
        rmSync(base, { recursive: true });
      },
    ),
    { numRuns: sampled(5, 400) },
  );
});

/** The tree's blocks in shards of so many, in the order in which they were made. */
async function packed(
  source: string,
  shardBlocks: number,
  blocks: MemoryBlocks,
  metadata = true,
): Promise<{ root: Root; shards: StreamedShards; all: TestShard[] }> {
  const made = new Map<string, Buffer>();
  const emit = (block: Buffer) => {
    made.set(hex(sha256(block)), block);
    return blocks.put(block);
  };
  const root = await treeRoot(source, { profile: profileOf('unixfs-v1-2025'), metadata, emit });
  const listed = [...made.values()];
  const all: TestShard[] = [];
  for (let at = 0; at < listed.length; at += shardBlocks) all.push(makeShard(dir, listed.slice(at, at + shardBlocks)));
  return { root, shards: new StreamedShards(all), all };
}

test('a file that holds the node of a directory, a symlink or a file comes back as that file, and the others as what they are', async () => {
  const source = join(dir, 'source');
  mkdirSync(join(source, 'm/directory'), { recursive: true });
  writeFileSync(join(source, 'm/directory/x'), 'x');
  symlinkSync('x', join(source, 'm/link'));
  writeFileSync(join(source, 'm/large'), Buffer.alloc(1_100_000, 'large'));
  const first = new MemoryBlocks();
  await treeRoot(source, { profile: profileOf('unixfs-v1-2025'), metadata: false, emit: (block) => first.put(block) });
  for (const name of ['directory', 'link', 'large']) {
    const { digest } = await treeRoot(join(source, 'm', name), { profile: profileOf('unixfs-v1-2025'), metadata: false });
    // Before what it is the node of, and after it, in the order in which they are restored.
    for (const at of [`a-${name}`, `m/a-${name}`, `m/z-${name}`, `z-${name}`]) writeFileSync(join(source, at), await first.read(digest));
  }
  const blocks = new MemoryBlocks();
  const { root, shards } = await packed(source, 100, blocks, false);
  const { lost } = await restored(root, blocks, shards, join(dir, 'out'));
  assert.deepEqual(lost, []);
  assert.deepEqual(treeState(join(dir, 'out'), false), treeState(source, false));
});

test('threads restore a tree with everything that is hard to restore, and ask for no block that came with the streams', async () => {
  const source = await writeHardTree(join(dir, 'source'));
  const blocks = new MemoryBlocks();
  const { root, shards } = await packed(source, 700, blocks);
  let reads = 0;
  const counted = Object.assign(Object.create(blocks) as MemoryBlocks, {
    read: (digest: Uint8Array) => {
      reads++;
      return blocks.read(digest);
    },
  });
  const { state, lost } = await restored(root, counted, shards, join(dir, 'out'));
  assert.deepEqual(state, treeState(source));
  assert.deepEqual(lost, []);
  assert.ok(
    reads < 300,
    `${reads} blocks were read by themselves: nodes of directories, roots of large files and at the borders of shards`,
  );
});

test('a run that is stopped leaves no file of which only a part is there', async () => {
  const source = join(dir, 'source');
  mkdirSync(source);
  for (let i = 0; i < 1000; i++) writeFileSync(join(source, `${i}`), `${i}`.repeat(1 + (i % 50)));
  for (const name of ['large', 'larger']) writeFileSync(join(source, name), Buffer.alloc(3_000_000, name));
  const blocks = new MemoryBlocks();
  const { root, shards } = await packed(source, 200, blocks);
  const whole = treeState(source, false);
  for (const after of [1, 500]) {
    const out = join(dir, `out${after}`);
    const stop = new AbortController();
    const emit = (event: Event) => {
      if (event.type === 'progress' && event.done >= after) stop.abort();
    };
    await assert.rejects(get({ root, path: '', out, blocks, shards, emit, signal: stop.signal }), { name: 'AbortError' });
    for (const [path, entry] of treeState(out, false)) if (path !== '') assert.deepEqual(entry, whole.get(path), path);
  }
});

/** Gives shards as files, by ranges. @param spoil of what it is about to send */
async function gatewayOf(all: readonly TestShard[], t: TestContext, spoil: (bytes: Buffer) => Buffer | undefined): Promise<string> {
  const server = createServer((request, response) => {
    const shard = all.find(({ cid }) => request.url?.startsWith(`/ipfs/${cid}`));
    const file = Buffer.concat(shard?.data ?? []);
    const [, from, to] = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? '') ?? [undefined, '0', String(file.length - 1)];
    const part = file.subarray(Number(from), Number(to) + 1);
    const headers = { 'content-length': part.length, 'content-range': `bytes ${from}-${to}/${file.length}` };
    response.writeHead(request.headers.range === undefined ? 200 : 206, headers);
    const sent = spoil(Buffer.from(part));
    if (sent === undefined) response.write(part.subarray(0, part.length / 2), () => response.destroy());
    else response.end(sent);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

test('of gateways that lie and break off nothing is written, and another goes on', async (t) => {
  const source = join(dir, 'source');
  mkdirSync(source);
  for (let i = 0; i < 300; i++) writeFileSync(join(source, `${i}`), `${i} `.repeat(1 + (i % 50)));
  writeFileSync(join(source, 'large'), Buffer.alloc(3_000_000, 'pattern'));
  const blocks = new MemoryBlocks();
  const { root, all } = await packed(source, 200, blocks);
  const liar = await gatewayOf(all, t, (bytes) => bytes.fill(0, bytes.length - 9));
  const breaker = await gatewayOf(all, t, () => undefined);
  const honest = await gatewayOf(all, t, (bytes) => bytes);
  const addresses = [liar, breaker, honest].map((url) => ({ url }));
  const limits = { ...GATEWAY_LIMITS, firstPauseMs: 1 };
  class FromGateways extends StreamedShards {
    override async streams() {
      return [{ form: 'gateways', addresses, limits } as const];
    }
  }
  const lone = Object.assign(Object.create(blocks) as MemoryBlocks, {
    read: (digest: Uint8Array) => {
      if (blocks.now(digest).length === 1024 * 1024) throw new Error('leaves come from gateways');
      return blocks.read(digest);
    },
  });
  const { state, lost, warnings } = await restored(root, lone, new FromGateways(all), join(dir, 'out'));
  const dropped = warnings.filter((line) => line.startsWith(`${liar} is asked no more`));
  assert.deepEqual(dropped, [`${liar} is asked no more: it gives a shard of other bytes`]);
  assert.deepEqual(state, treeState(source));
  assert.deepEqual(lost, []);
});

test('where a daemon breaks off, the next one goes on with the shard', async (t) => {
  const source = join(dir, 'source');
  mkdirSync(source);
  for (let i = 0; i < 100; i++) writeFileSync(join(source, `${i}`), `${i} `.repeat(1 + (i % 50)));
  const blocks = new MemoryBlocks();
  const { root, all } = await packed(source, 1000, blocks);
  let asked = 0;
  const breaker = await gatewayOf(all, t, () => void asked++);
  const honest = await gatewayOf(all, t, (bytes) => bytes);
  class FromDaemons extends StreamedShards {
    override async streams(cid: string) {
      return [breaker, honest].map(
        (url) => ({ form: 'file', url: `${url}/ipfs/${cid}`, method: 'GET', headers: {}, range: 'header' }) as const,
      );
    }
  }
  const { state, lost } = await restored(root, blocks, new FromDaemons(all), join(dir, 'out'));
  assert.deepEqual({ state, lost }, { state: treeState(source), lost: [] });
  assert.equal(asked, all.length);
});
