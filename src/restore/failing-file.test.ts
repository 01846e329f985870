import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import type { Event } from '../core/events.ts';
import { profileOf } from '../dag/cid-profile.ts';
import { MemoryBlocks } from '../testing/memory-blocks.ts';
import { makeShard } from '../testing/shards.ts';
import { StreamedShards } from '../testing/streamed-shards.ts';
import { treeRoot } from '../testing/tree-root.ts';
import { get } from './get.ts';

test('a large file that fails in each of its shards is counted and told of once', async (t) => {
  const dir = mkdtempSync(join(tmpdir(), 'shardctl-failing-'));
  t.after(() => rmSync(dir, { recursive: true, force: true }));
  const [source, out] = [join(dir, 'source'), join(dir, 'out')];
  mkdirSync(source);
  writeFileSync(join(source, 'large'), Buffer.from(Array.from({ length: 3000 }, (_, i) => i >> 8)));
  const blocks = new MemoryBlocks();
  const made: Buffer[] = [];
  const emit = (block: Buffer) => {
    made.push(block);
    return blocks.put(block);
  };
  const root = await treeRoot(source, { profile: profileOf('unixfs-v1-2025', 'size-1000'), metadata: true, emit });
  class Removing extends StreamedShards {
    override async streams(cid: string) {
      rmSync(join(out, 'large'), { force: true });
      return await super.streams(cid);
    }
  }
  const shards = new Removing(made.map((block) => makeShard(dir, [block])));
  const lost: string[] = [];
  const note = (event: Event) => {
    if (event.type === 'not-restored') lost.push(`${event.problem} ${event.path.slice(out.length)}`);
  };
  const signal = new AbortController().signal;
  const { problems } = await get({ root, path: '', out, blocks, shards, emit: note, signal, specialBits: true });
  assert.deepEqual(lost, ['unwritable /large']);
  assert.equal(problems.unwritable, 1);
});
