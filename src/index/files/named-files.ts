/**
 * The files that bear a repository's name: entries and pending entries, which spare the next run work and no more, and doubts.
 *
 * When a repository is renamed, the tables change in one transaction, and the files are moved after it. `renaming.json` is written
 * before the transaction and removed when all files are moved. A run that opens the index and finds it sees in the tables whether the
 * transaction was made before the earlier run died.
 */
import { existsSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { syncDirectory, writeDurablySync } from '../../core/durable-files.ts';
import { doubtPath } from './doubts.ts';

/** Paths of what earlier runs have left to spare the next one work. */
const MEMORY = ['entries', 'pending'].map((kind) => (dir: string, repository: string) => join(dir, kind, encodeURIComponent(repository)));
/** Paths of all that bears a repository's name. */
const FILES = [...MEMORY, doubtPath];

export interface Renaming {
  readonly from: string;
  readonly to: string;
}

/** Deletes entries and pending entries of repositories. An update without them reads every file. */
export function dropMemory(dir: string, repositories: readonly string[]): void {
  for (const path of repositories.flatMap((name) => MEMORY.map((pathOf) => pathOf(dir, name))))
    rmSync(path, { recursive: true, force: true });
}

export function dropDoubts(dir: string, repositories: readonly string[]): void {
  for (const name of repositories) rmSync(doubtPath(dir, name), { force: true });
}

/** Durable when it returns. */
export function noteRenaming(dir: string, names: Renaming): void {
  writeDurablySync(notePath(dir), JSON.stringify(names));
}

/** Ends a renaming during which a run has died. @param isThere whether the tables have a repository of that name */
export function completeRenaming(dir: string, isThere: (name: string) => boolean): void {
  const names = JSON.parse(readFileSync(notePath(dir), 'utf8')) as Renaming;
  if (isThere(names.to)) finishRenaming(dir, names);
  else dropNote(dir);
}

/** Moves the files, and removes the note. After a crash it can be called again: files that were moved are not there any more. */
export function finishRenaming(dir: string, { from, to }: Renaming): void {
  for (const pathOf of FILES) {
    const [source, target] = [pathOf(dir, from), pathOf(dir, to)];
    if (!existsSync(source)) continue;
    // A first import under that name, which was never committed, may have left files.
    rmSync(target, { recursive: true, force: true });
    renameSync(source, target);
    syncDirectory(dirname(target));
  }
  dropNote(dir);
}

function dropNote(dir: string): void {
  rmSync(notePath(dir), { force: true });
  syncDirectory(dir);
}

function notePath(dir: string): string {
  return join(dir, 'renaming.json');
}
