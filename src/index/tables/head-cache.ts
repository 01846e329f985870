/**
 * The head cache, `standing.json`: what the tables say of each repository's newest snapshot. An update that finds nothing to do needs
 * no more, and so does not load LMDB.
 *
 * The file is deleted, durably, before the tables change, and written again after the change is durable, when the index is closed.
 * So a reader who finds it may trust it.
 */
import { existsSync, readFileSync, renameSync, unlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { syncDirectory } from '../../core/durable-files.ts';
import type { RepositoryRecord, ShardRecord, SnapshotRecord } from '../../core/model.ts';
import { removeFileSync } from '../../core/remove-file.ts';

/**
 * With more shards there is no head cache. To read one takes 3 to 4 µs and 1.3 KB of memory a shard, also of commands that want one shard
 * alone, as `ls` does; to open the tables instead takes 40 ms, however many there are.
 */
export const MOST_CACHED_SHARDS = 20_000;

export interface HeadCache {
  /** Format of the index that it was taken from. */
  readonly format: number;
  /** In the order of their names. */
  readonly repositories: readonly RepositoryRecord[];
  /** Those of the heads, and newer ones that the gate holds back: an update compares the source with them. */
  readonly snapshots: readonly SnapshotRecord[];
  /** Those that these snapshots need, by number. */
  readonly shards: ReadonlyMap<number, ShardRecord>;
}

/** @returns undefined when there is no file, or its checksum or format is another */
export function readHeadCache(dir: string, format: number): HeadCache | undefined {
  try {
    const text = readFileSync(pathOf(dir), 'utf8');
    // The file is renamed into place without a flush: after a power cut it may hold anything.
    const end = text.indexOf('\n');
    const json = text.slice(end + 1);
    if (Number(text.slice(0, end)) !== crc32(json)) return undefined;
    const cache = JSON.parse(json) as Omit<HeadCache, 'shards'> & { readonly shards: readonly ShardRecord[] };
    if (cache.format !== format) return undefined;
    return { ...cache, shards: new Map(cache.shards.map((shard) => [shard.number, shard])) };
  } catch {
    return undefined;
  }
}

/** @param cache undefined where there is none to write */
export function writeHeadCache(dir: string, cache: HeadCache | undefined): void {
  if (cache === undefined) return;
  const json = JSON.stringify({ ...cache, shards: [...cache.shards.values()] });
  try {
    writeFileSync(`${pathOf(dir)}.new`, `${crc32(json)}\n${json}`);
    renameSync(`${pathOf(dir)}.new`, pathOf(dir));
  } catch {
    // The next run opens the tables, and is slower by that.
    removeFileSync(`${pathOf(dir)}.new`);
  }
}

/** Must come before any change of the tables. */
export function dropHeadCache(dir: string): void {
  if (!existsSync(pathOf(dir))) return;
  unlinkSync(pathOf(dir));
  syncDirectory(dir);
}

function pathOf(dir: string): string {
  return join(dir, 'standing.json');
}
