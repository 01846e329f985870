/**
 * `standing.json`: what the tables say of each repository's head, as of the last run that changed anything. An update that
 * finds nothing to do needs no more, and so need not open the tables.
 *
 * It is deleted, durably, before the tables change, and written when a run is done with them: as long as it is there it is true.
 */
import { existsSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { syncDirectory } from '../../core/durable-files.ts';
import type { RepositoryRecord, ShardRecord, SnapshotRecord } from '../../core/model.ts';

export interface Standing {
  /** Format of the index that it was taken from. */
  readonly format: number;
  /** In the order of their names. */
  readonly repositories: readonly RepositoryRecord[];
  /** Those of the heads. */
  readonly snapshots: readonly SnapshotRecord[];
  /** Those that the heads need, by number. */
  readonly shards: ReadonlyMap<number, ShardRecord>;
}

/** @returns undefined when there is none, or it cannot be what was written */
export function readStanding(dir: string, format: number): Standing | undefined {
  try {
    const text = readFileSync(pathOf(dir), 'utf8');
    // It is renamed into place unflushed: after a power cut it may be anything.
    const end = text.indexOf('\n');
    const json = text.slice(end + 1);
    if (Number(text.slice(0, end)) !== crc32(json)) return undefined;
    const standing = JSON.parse(json) as Omit<Standing, 'shards'> & { readonly shards: readonly ShardRecord[] };
    if (standing.format !== format) return undefined;
    return { ...standing, shards: new Map(standing.shards.map((shard) => [shard.number, shard])) };
  } catch {
    return undefined;
  }
}

export function writeStanding(dir: string, standing: Standing): void {
  const json = JSON.stringify({ ...standing, shards: [...standing.shards.values()] });
  try {
    writeFileSync(`${pathOf(dir)}.new`, `${crc32(json)}\n${json}`);
    renameSync(`${pathOf(dir)}.new`, pathOf(dir));
  } catch {
    // The next run opens the tables, and is slower by that.
    rmSync(`${pathOf(dir)}.new`, { force: true });
  }
}

/** Must come before any change of the tables. */
export function dropStanding(dir: string): void {
  if (!existsSync(pathOf(dir))) return;
  rmSync(pathOf(dir));
  syncDirectory(dir);
}

function pathOf(dir: string): string {
  return join(dir, 'standing.json');
}
