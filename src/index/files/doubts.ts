/**
 * `doubts/NAME`: a note that the head of a repository is not known to be whole. It is there from when somebody has reason to doubt
 * (`verify` and `repair`, which have found a block missing; an index of an older format, whose prune was wrong) until a run has
 * looked, or has committed a tree that it stored anew: see `doubted-head.ts`.
 *
 * Whoever finds something may write it at any time, with no lock. So each note is another one, and a run takes away only the one
 * that it has read before it looked: what was found meanwhile stays.
 */
import { randomUUID } from 'node:crypto';
import { readFileSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { makeDirectories, syncDirectory, writeDurablySync } from '../../core/durable-files.ts';
import { errnoOf } from '../../core/errors.ts';

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

/** What tells this note from another; undefined when there is none. */
export function readDoubt(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined;
    throw error;
  }
}

/** Takes the note away, unless it is another one by now. */
export function dropDoubt(path: string, note: string): void {
  if (readDoubt(path) !== note) return;
  rmSync(path, { force: true });
}
