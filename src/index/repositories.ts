/**
 * Removes and renames repositories: their records in the tables, and the files that bear their names. These are entries and pending
 * entries, which spare the next run work and no more, and doubts. Only `rm` and `rename` load this, and a run that finds `renaming.json`.
 *
 * When a repository is renamed, the tables change in one transaction, and the files are moved after it. `renaming.json` is written
 * before the transaction and removed when all files are moved. A run that opens the index and finds it sees in the tables whether the
 * transaction was made before the earlier run died.
 */
import { existsSync, readFileSync, renameSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { syncDirectory, writeDurablySync } from '../core/durable-files.ts';
import type { RepositoryRecord, SnapshotRecord } from '../core/model.ts';
import { removeFileSync, removeTreeSync } from '../core/remove-file.ts';
import { doubtPath } from './files/doubts.ts';
import { dropHeadCache } from './tables/head-cache.ts';
import type { Tables } from './tables/tables.ts';

/** Paths of what earlier runs have left to spare the next one work. */
const MEMORY = ['entries', 'pending'].map((kind) => (dir: string, repository: string) => join(dir, kind, encodeURIComponent(repository)));
/** Paths of all that bears a repository's name. */
const FILES = [...MEMORY, doubtPath];

/** Makes one transaction of the tables; durable when it resolves. */
type Commit = (change: (tables: Tables) => void) => Promise<void>;

interface Renaming {
  readonly from: string;
  readonly to: string;
}

/**
 * Removes repositories with all of their snapshots, all or none. Their entries and pending entries are deleted before the transaction:
 * if the run dies in between, the next update reads every file. Doubts are deleted after it, because they must stay as long as the
 * repository is there.
 * @param dir of the index
 */
export async function removeRepositories(dir: string, names: readonly string[], commit: Commit): Promise<void> {
  for (const name of names) for (const pathOf of MEMORY) removeTreeSync(pathOf(dir, name));
  await commit((tables) => {
    for (const name of names) tables.remove(name);
  });
  for (const name of names) removeFileSync(doubtPath(dir, name));
}

/**
 * Gives a repository another name, in one transaction with snapshots that have this name. The files that bear its name are moved
 * afterwards, or, if this run dies in between, by the next run that opens the index.
 * @param dir of the index
 */
export async function renameRepository(
  dir: string,
  from: string,
  repository: RepositoryRecord,
  snapshots: readonly SnapshotRecord[],
  commit: Commit,
): Promise<void> {
  const names = { from, to: repository.name };
  // Without the head cache the next run opens the tables, and so looks for the note.
  dropHeadCache(dir);
  writeDurablySync(notePath(dir), JSON.stringify(names));
  await commit((tables) => tables.rename(from, repository, snapshots));
  finishRenaming(dir, names);
}

/** Ends a renaming during which a run has died. @param isThere whether the tables have a repository of that name */
export function completeRenaming(dir: string, isThere: (name: string) => boolean): void {
  const names = JSON.parse(readFileSync(notePath(dir), 'utf8')) as Renaming;
  if (isThere(names.to)) finishRenaming(dir, names);
  else dropNote(dir);
}

/** Moves the files, and removes the note. After a crash it can be called again: files that were moved are not there any more. */
function finishRenaming(dir: string, { from, to }: Renaming): void {
  for (const pathOf of FILES) {
    const [source, target] = [pathOf(dir, from), pathOf(dir, to)];
    if (!existsSync(source)) continue;
    // A first import under that name, which was never committed, may have left files.
    removeTreeSync(target);
    renameSync(source, target);
    syncDirectory(dirname(target));
  }
  dropNote(dir);
}

function dropNote(dir: string): void {
  removeFileSync(notePath(dir));
  syncDirectory(dir);
}

function notePath(dir: string): string {
  return join(dir, 'renaming.json');
}
