/**
 * What lies in files under a repository's name: entries and pending entries, which are only a memory of its last runs, and doubts.
 *
 * The tables rename a repository in one transaction, and the files follow. `renaming.json` is there from before the transaction until
 * they have: who opens the index then sees in the tables on which side of it the run has died.
 */
import { existsSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { syncDirectory, writeDurablySync } from '../../core/durable-files.ts';
import { doubtPath } from './doubts.ts';

/** What is only a memory of a repository's last runs. */
const MEMORY = ['entries', 'pending'].map((kind) => (dir: string, repository: string) => join(dir, kind, encodeURIComponent(repository)));
/** All that lies under a repository's name. */
const FILES = [...MEMORY, doubtPath];

export interface Renaming {
  readonly from: string;
  readonly to: string;
}

/** Forgets what the last runs of repositories have left for the next, which reads every file then. */
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

/** What a run that died has left undone. @param isThere whether the tables have a repository of that name */
export function completeRenaming(dir: string, isThere: (name: string) => boolean): void {
  const names = JSON.parse(readFileSync(notePath(dir), 'utf8')) as Renaming;
  if (isThere(names.to)) finishRenaming(dir, names);
  else dropNote(dir);
}

/** Moves the files; done again after a crash it goes on where it was. */
export function finishRenaming(dir: string, { from, to }: Renaming): void {
  for (const pathOf of FILES) {
    const [source, target] = [pathOf(dir, from), pathOf(dir, to)];
    if (!existsSync(source)) continue;
    // Left there by a first import under that name which was never committed.
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
