/**
 * `doubts/NAME`: a note that the head of a repository is not known to be whole. It is there from when somebody has reason to doubt
 * (`verify` and `repair`, which have found a block missing; an index of an older format, whose prune was wrong) until a run has
 * looked, or has committed a tree that it stored anew: see `doubted-head.ts`.
 *
 * Whoever finds something may write it at any time, with no lock. So each note is another one, and a run takes away only the one
 * that it has read before it looked: what was found meanwhile stays.
 */
import { randomUUID } from 'node:crypto';
import { closeSync, openSync, readFileSync, renameSync, rmSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import { flushSync, makeDirectories, syncDirectory } from '../durable.ts';
import { errnoOf } from '../errors.ts';

/** Durable when it returns. @param path see `Index.doubtOf` */
export function noteDoubt(path: string): void {
  const dir = dirname(path);
  if (makeDirectories(dir) !== undefined) syncDirectory(dirname(dir));
  const note = randomUUID();
  const fresh = `${path}.${note}.tmp`;
  const fd = openSync(fresh, 'wx');
  try {
    writeSync(fd, `${note}\n`);
    flushSync(fd);
  } finally {
    closeSync(fd);
  }
  renameSync(fresh, path);
  syncDirectory(dir);
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
