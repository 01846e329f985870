/** A block table of any size, and what it must answer: block i is the i-th of a fixed sequence, and is in shard i / 65,536. */
import { createHash } from 'node:crypto';
import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { DIGEST_BYTES } from '../core/model.ts';
import { BlockTable } from '../index/blocks/blocks.ts';

const SHARD_BLOCKS = 65_536;

export interface Answered {
  /** Of the table, on disk. */
  readonly bytes: number;
  readonly addSeconds: number;
  /** Lookups of all blocks that are there, and of as many that are not, in a table that is opened anew. */
  readonly findSeconds: number;
  readonly missSeconds: number;
  /** The numbers of blocks for which the answer was wrong; those of blocks that are not there below zero. */
  readonly wrong: readonly number[];
}

/** @param count of blocks that are there @param onShard told how far it is */
export function answersOf(dir: string, count: number, onShard: (done: number, of: number) => void = () => {}): Answered {
  const shards = new Set<number>();
  const batches = Math.ceil(count / SHARD_BLOCKS);
  const sizeOf = (shard: number) => Math.min(SHARD_BLOCKS, count - shard * SHARD_BLOCKS);
  const usable = (shard: number) => shards.has(shard);
  const seconds = { add: 0, find: 0, miss: 0 };
  const wrong: number[] = [];

  const adding = new BlockTable(dir);
  for (let shard = 0; shard < batches; shard++) {
    shards.add(shard);
    const digests = digestsFrom(shard * SHARD_BLOCKS, sizeOf(shard));
    seconds.add += timed(() => adding.add(shard, digests, () => shards));
    onShard(shard + 1, 2 * batches);
  }
  adding.close();
  const table = new BlockTable(dir, { readOnly: true });
  for (let shard = 0; shard < batches; shard++) {
    const first = shard * SHARD_BLOCKS;
    const there = digestsFrom(first, sizeOf(shard));
    const absent = digestsFrom(-1 - first - sizeOf(shard) + 1, sizeOf(shard));
    seconds.find += timed(() => {
      for (let i = 0; i < sizeOf(shard); i++) if (table.get(there, i * DIGEST_BYTES, usable) !== shard) wrong.push(first + i);
    });
    seconds.miss += timed(() => {
      for (let i = 0; i < sizeOf(shard); i++) if (table.get(absent, i * DIGEST_BYTES, usable) !== undefined) wrong.push(-1 - first - i);
    });
    onShard(batches + shard + 1, 2 * batches);
  }
  table.close();
  const bytes = readdirSync(dir).reduce((sum, name) => sum + statSync(join(dir, name)).size, 0);
  return { bytes, addSeconds: seconds.add, findSeconds: seconds.find, missSeconds: seconds.miss, wrong };
}

/** Digests of `count` numbers, back to back. With this salt 600,000 are enough for two to meet at the end of a page in their first 32 bits. */
function digestsFrom(first: number, count: number): Buffer {
  const out = Buffer.allocUnsafe(count * DIGEST_BYTES);
  for (let i = 0; i < count; i++) {
    createHash('sha256')
      .update(`6 ${first + i}`)
      .digest()
      .copy(out, i * DIGEST_BYTES);
  }
  return out;
}

function timed(work: () => void): number {
  const start = performance.now();
  work();
  return (performance.now() - start) / 1000;
}
