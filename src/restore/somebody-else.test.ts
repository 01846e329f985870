/** Somebody else may write below OUT while it is restored into: he can spoil the copy, and no more. */
import assert from 'node:assert/strict';
import { lstatSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { platform, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import type { Event } from '../core/events.ts';
import type { Root } from '../core/model.ts';
import { profileOf } from '../dag/cid-profile.ts';
import type { Blocks } from '../read/blocks/block-source.ts';
import { sampled } from '../testing/depth.ts';
import { MemoryBlocks } from '../testing/memory-blocks.ts';
import { makeShard } from '../testing/shards.ts';
import { StreamedShards } from '../testing/streamed-shards.ts';
import { keepSwapping } from '../testing/swapper.ts';
import { treeRoot } from '../testing/tree-root.ts';
import { get } from './get.ts';
import type { ShardAccess } from './shard-tables.ts';

const skip = platform() === 'linux' ? false : 'directories are held under /proc';

let dir: string;
let out: string;
let elsewhere: string;
const blocks = new MemoryBlocks();
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'shardctl-somebody-'));
  [out, elsewhere] = [join(dir, 'out'), join(dir, 'elsewhere')];
  mkdirSync(join(elsewhere, 'below'), { recursive: true, mode: 0o700 });
  writeFileSync(join(elsewhere, 'theirs'), 'theirs');
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

/** A tree with all that is made in a directory: a small file, a large one, a symlink, a directory, and what replaces something. */
async function tree(): Promise<{ readonly root: Root; readonly shards: StreamedShards }> {
  const source = join(dir, 'source');
  mkdirSync(join(source, 'open/below'), { recursive: true });
  writeFileSync(join(source, 'open/below/small'), 'small');
  writeFileSync(join(source, 'open/large'), Buffer.alloc(5000, 'large'));
  writeFileSync(join(source, 'open/small'), 'as it was made');
  writeFileSync(join(source, 'open/theirs'), 'ours');
  symlinkSync('small', join(source, 'open/link'));
  const made = new Map<string, Buffer>();
  const emit = (block: Buffer) => {
    const digest = blocks.put(block);
    made.set(Buffer.from(digest).toString('hex'), block);
    return digest;
  };
  const root = await treeRoot(source, { profile: profileOf('unixfs-v1-2025', 'size-1000'), metadata: true, emit });
  return { root, shards: new StreamedShards([makeShard(dir, [...made.values()])]) };
}

async function restoring(root: Root, reading: Blocks, shards?: ShardAccess): Promise<Event[]> {
  const events: Event[] = [];
  const { signal } = new AbortController();
  await get({ root, path: '', out, blocks: reading, shards, emit: (event) => events.push(event), signal, overwrite: true });
  return events;
}

function assertUntouched(): void {
  assert.deepEqual(readdirSync(elsewhere, { recursive: true }).sort(), ['below', 'theirs']);
  assert.equal(lstatSync(join(elsewhere, 'theirs')).size, 'theirs'.length);
  for (const path of ['', 'below']) assert.equal(lstatSync(join(elsewhere, path)).mode & 0o777, 0o700);
}

function swap(): void {
  renameSync(join(out, 'open'), join(dir, 'away'));
  symlinkSync(elsewhere, join(out, 'open'));
}

test('a symlink that is put in the place of a directory leads nothing elsewhere, whichever block is read meanwhile', { skip }, async () => {
  const { root } = await tree();
  for (let last = 1, swapped = true; swapped; last++) {
    rmSync(out, { recursive: true, force: true });
    rmSync(join(dir, 'away'), { recursive: true, force: true });
    let reads = 0;
    swapped = false;
    const read = async (digest: Uint8Array) => {
      const isIn = lstatSync(join(out, 'open'), { throwIfNoEntry: false })?.isDirectory() === true;
      if (isIn && ++reads === last) {
        swap();
        swapped = true;
      }
      return blocks.now(digest);
    };
    const events = await restoring(root, { ...blocks, read });
    assert.equal(
      events.some(({ type }) => type === 'not-restored'),
      swapped,
    );
    assertUntouched();
  }
});

test('nor where files are written as their shard streams by', { skip }, async () => {
  const { root, shards } = await tree();
  const streams = async (cid: string) => {
    swap();
    return await shards.streams(cid);
  };
  const access = { shardOf: shards.shardOf.bind(shards), contents: shards.contents.bind(shards), streams };
  const events = await restoring(root, blocks, access);
  assert.ok(events.some((event) => event.type === 'not-restored' && event.path === join(out, 'open/small')));
  assert.ok(!JSON.stringify(events).includes('/proc/'), 'messages have the paths that people know');
  assertUntouched();
});

test('nor while the directory is exchanged for a symlink over and over', { skip }, async () => {
  const { root, shards } = await tree();
  mkdirSync(join(out, 'open'), { recursive: true });
  const stop = await keepSwapping({ directory: join(out, 'open'), elsewhere });
  for (let round = 0; round < sampled(60, 600); round++) {
    // Where there is nothing of that name for a moment, or no such directory any more, it may end with an error.
    await restoring(root, blocks, round % 2 === 0 ? shards : undefined).catch(() => {});
    assertUntouched();
  }
  await stop();
});
