/**
 * `doubts/NAME`: a note that the newest snapshot of a repository is not known to be whole. `verify` and `repair` write it when they miss
 * a block, and so does the upgrade from format 1, whose prune was wrong. The next `add` or `update` removes it when it has looked the
 * tree through, or has committed a tree that it stored anew: see `update/doubted-head.ts`.
 *
 * A note may be written at any time, without the lock. So each has an ID of its own, and a run removes only the note that it read before
 * it looked: a note that was written meanwhile stays.
 */
import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { makeDirectories, syncDirectory, writeDurablySync } from '../../core/durable-files.ts';
import { errnoOf } from '../../core/errors.ts';
import { removeFileSync } from '../../core/remove-file.ts';

/** @param dir of the index */
export function doubtPath(dir: string, repository: string): string {
  return join(dir, 'doubts', encodeURIComponent(repository));
}

/** Durable when it returns. @param path see `Index.doubtOf` */
export function noteDoubt(path: string): void {
  const dir = dirname(path);
  if (makeDirectories(dir) !== undefined) syncDirectory(dirname(dir));
  const note = randomUUID();
  writeDurablySync(path, `${note}\n`, `${path}.${note}.tmp`);
}

/** The text of the note, by which it is told from another; undefined when there is none. */
export function readDoubt(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined;
    throw error;
  }
}

/** Removes the note, unless another one is there by now. */
export function dropDoubt(path: string, note: string): void {
  if (readDoubt(path) !== note) return;
  removeFileSync(path);
}
