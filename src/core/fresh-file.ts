/**
 * Files that users name (`--metrics-file`, `--html`, `--car`) and that are written whole beside their place, in directories where others
 * may write, too. What is written first has a name that nobody can foresee, and is made and never opened: by a name that is known before,
 * whoever may write there could have a run of root's overwrite what a symlink leads to, or wait at a FIFO for ever; and of two runs that
 * write one file, one could move half of what the other writes into its place.
 */
import { randomBytes } from 'node:crypto';
import { closeSync, lstatSync, openSync, readdirSync, renameSync, unlinkSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { flushSync, syncDirectory } from './durable-files.ts';
import { removeFileSync } from './remove-file.ts';

/** Short, because a file name may have 255 bytes. */
const FRESH = /^\.[0-9a-f]{16}\.part$/;
/** Nobody goes on writing after so long without a byte. */
const UNFINISHED_MS = 3600_000;

/** Where a file is written first: to be opened with `wx`, which follows nothing and takes nothing that is there. */
export function freshBeside(path: string): string {
  return `${path}.${randomBytes(8).toString('hex')}.part`;
}

/** Writes a small file, and puts it in place of what is there. @param isDurable whether it must survive a power cut */
export function replaceFileSync(path: string, text: string, isDurable: boolean): void {
  const fresh = freshBeside(path);
  try {
    const fd = openSync(fresh, 'wx');
    try {
      writeFileSync(fd, text);
      if (isDurable) flushSync(fd);
    } finally {
      closeSync(fd);
    }
    sweepBeside(path, fresh);
    renameSync(fresh, path);
  } catch (error) {
    removeFileSync(fresh);
    throw error;
  }
  if (isDurable) syncDirectory(dirname(path));
}

/** Whether a file can be put there is found before what it is to say. @throws Error with an errno */
export function probeBeside(path: string): void {
  const fresh = freshBeside(path);
  closeSync(openSync(fresh, 'wx'));
  unlinkSync(fresh);
}

/**
 * Removes what runs that were killed have left of this file. What cannot be removed stays: it stops nobody.
 * @param fresh written just now: its time is that of the file system
 */
export function sweepBeside(path: string, fresh: string): void {
  const dir = dirname(path);
  const isOld = (left: string) => lstatSync(fresh).mtimeMs - lstatSync(left).mtimeMs > UNFINISHED_MS;
  const isLeft = (name: string) => name.startsWith(basename(path)) && FRESH.test(name.slice(basename(path).length));
  for (const left of namesIn(dir)
    .filter(isLeft)
    .map((name) => join(dir, name))) {
    try {
      if (isOld(left)) unlinkSync(left);
    } catch {
      // Another user's, a directory, or another run has removed it.
    }
  }
}

/** A directory may be one that can be written to and not listed. */
function namesIn(dir: string): string[] {
  try {
    return readdirSync(dir);
  } catch {
    return [];
  }
}
