/** The format of the index as a whole. A run that writes upgrades an older one, in one transaction. */
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { syncDirectory } from '../core/durable-files.ts';
import { errnoOf, ioError, ShardctlError } from '../core/errors.ts';
import { replicationSeen } from '../core/model.ts';
import { doubtPath } from './files/doubts.ts';
import { firstNumberAnew, lostIndex, wasUsed } from './lost-index.ts';
import type { IndexOptions } from './options.ts';
import { howToMake } from './tables/how-to-make.ts';
import type { Tables } from './tables/tables.ts';

/** The index's format as this version writes it. A newer one is refused; an older one can be read. */
export const INDEX_FORMAT = 2;

/** Ends a rename during which a run has died, and brings an older index up to date; read-only, refuses a newer one alone. @param commit makes one transaction @throws ShardctlError `NEWER_FORMAT`, `NOT_FOUND` for tables that were never made where the index was used */
export async function upgrade(
  tables: Tables,
  dir: string,
  { readOnly, anew, isRemade }: IndexOptions & { readonly isRemade: boolean },
  commit: (change: (tables: Tables) => void) => Promise<void>,
): Promise<void> {
  const found = formatOf(tables, dir);
  if (readOnly === true) return;
  const isLost = isRemade || (found === undefined && wasUsed(dir));
  if (isLost && anew !== true) throw lostIndex(dir);
  if (existsSync(join(dir, 'renaming.json'))) {
    const { completeRenaming } = await import('./repositories.ts');
    completeRenaming(dir, (name) => tables.repositories.doesExist(name));
  }
  if (found === INDEX_FORMAT) return;
  await doubtHeads(tables, found, (name) => doubtPath(dir, name));
  await commit((changed) => bringUpToDate(changed, found, isLost));
  // A new index: its files were made durable one by one, the directories are now.
  for (const path of [join(dir, 'tables'), dir, dirname(dir)]) syncDirectory(path);
}

/** @returns the format of these tables; undefined when they are new @throws ShardctlError `NEWER_FORMAT` */
function formatOf({ meta }: Tables, dir: string): number | undefined {
  const found = meta.get('format');
  if (found === undefined || found <= INDEX_FORMAT) return found;
  throw new ShardctlError('NEWER_FORMAT', `the index at ${dir} has format ${found}; this shardctl knows ${INDEX_FORMAT}`, {
    hint: 'use the newer shardctl that wrote it',
  });
}

/**
 * Notes for each repository that its head may not be whole: the prune of format 1 took a node for a leaf of the same bytes, and so may
 * have deleted blocks below the node. Called before the format is changed, so that it is done again if the run dies in between.
 */
async function doubtHeads({ repositories }: Tables, found: number | undefined, doubtOf: (name: string) => string): Promise<void> {
  if (found !== 1) return;
  const { noteDoubt } = await import('./files/doubts.ts');
  for (const name of repositories.getKeys()) noteDoubt(doubtOf(name));
}

/**
 * Within a transaction, so that a run which dies leaves the old format as it was.
 * @param found the format so far; undefined for new tables @param isLost whether they stand in the place of lost ones
 */
function bringUpToDate(tables: Tables, found: number | undefined, isLost: boolean): void {
  if (isLost) void tables.meta.put('nextShard', firstNumberAnew());
  if (found === 1) {
    addChecksums(tables);
    rememberReplication(tables);
  }
  void tables.meta.put('format', INDEX_FORMAT);
}

/**
 * Format 1 did not keep the repository's replication as `add --replication` was given it, so every later update placed fewer replicas.
 * It is inferred from the shards by bytes, of which `add` has placed more than the updates after it. The shards of these updates get
 * the missing replicas with the next commit, or from `repair`.
 */
function rememberReplication({ repositories, snapshots, shards }: Tables): void {
  for (const { value: repository } of [...repositories.getRange()]) {
    const numbers = snapshots.get([repository.name, repository.head])?.shards ?? [];
    const replication = replicationSeen(numbers.flatMap((number) => shards.get(number) ?? []));
    if (replication !== undefined) void repositories.put(repository.name, { ...repository, replication });
  }
}

/** Records of format 1 had no checksums: each is written again, with one. */
function addChecksums({ repositories, snapshots, shards }: Tables): void {
  for (const { key, value } of [...repositories.getRange()]) void repositories.put(key, value);
  for (const { key, value } of [...snapshots.getRange()]) void snapshots.put(key, value);
  for (const { key, value } of [...shards.getRange()]) void shards.put(key, value);
}

/** Opens a part of the index at `dir`. @throws ShardctlError `NOT_FOUND` when there is no index, `IO` */
export function opening<T>(dir: string, open: () => T): T {
  try {
    return open();
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') throw new ShardctlError('NOT_FOUND', `there is no index at ${dir}`, { hint: howToMake(dir) });
    throw ioError(error, 'opening the index', dir);
  }
}
