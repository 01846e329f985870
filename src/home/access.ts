/**
 * Which other users may read a home or a local peer. A mirror may have files that only its owner may read, and their bytes are in the
 * shards. So homes and local peers are made readable for their owner alone, as by restic and borg, and opened to others by `--shared`.
 */
import { chmodSync, closeSync, constants, existsSync, fstatSync, lstatSync, openSync, readdirSync, type Stats, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { isForbidden, isGone } from '../core/errno.ts';
import { errnoOf } from '../core/errors.ts';

const OTHERS = 0o077;
/** Permission to enter a directory; without it nobody reads what is in there, whatever the modes below it say. */
const OTHERS_ENTER = 0o011;
const PERMISSIONS = 0o777;
const HANDLES = '/proc/self/fd';
/**
 * To hold what is at a path and do nothing with it: no FIFO is waited for, and closing it drops no lock, where the end of an ordinary one drops
 * all that this process has on the file (fcntl(2)), as LMDB has on its table of readers. Linux has it, Node has no name for it.
 */
const O_PATH = 0o10000000;
/** The notes of homes on a peer. They say where mirrors lie, and stay readable for their owners alone, even if others may read the shards. */
const NEVER_OPENED = /\.note$/;

/** Whether a directory's mode lets others in; false when there is no such directory. */
export function isOpen(directory: string): boolean {
  return othersIn(directory) !== 0;
}

/** Whether others can reach a directory: each one on the path must let them in. @param path without symlinks */
export function isReachable(path: string): boolean {
  for (let directory = path; ; directory = dirname(directory)) {
    if (!isOpen(directory)) return false;
    if (directory === dirname(directory)) return true;
  }
}

/**
 * Takes all permissions of others from a directory, and from those directly in it that `names` has, also where its owner has put a symlink to
 * another disk. Modes that cannot be changed stay.
 */
export function close(directory: string, names: readonly string[]): void {
  const closed = ({ mode }: Stats) => mode & ~OTHERS;
  // First, so that nobody else exchanges anything in it from here on.
  changing(directory, true, closed);
  const owner = statSync(directory, { throwIfNoEntry: false })?.uid;
  for (const path of names.map((name) => join(directory, name))) {
    const found = lstatSync(path, { throwIfNoEntry: false });
    changing(path, found?.isSymbolicLink() === true && found.uid === owner, closed);
  }
}

/**
 * Gives others the permissions that the umask allows: on a directory, and on all that is in those directly in it that `names` has.
 * Modes that cannot be changed stay.
 */
export function open(directory: string, names: readonly string[], umask: number): void {
  for (const name of names) openBelow(join(directory, name), umask);
  openOne(directory, umask);
}

function openBelow(path: string, umask: number): void {
  openOne(path, umask, (its) => {
    for (const name of namesIn(its)) if (!NEVER_OPENED.test(name)) openBelow(join(its, name), umask);
  });
}

/** None of a directory that is not for us to read: another user's, or the `lost+found` of a disk. What is in it stays as it is. */
function namesIn(directory: string): readonly string[] {
  try {
    return readdirSync(directory);
  } catch (error) {
    const errno = errnoOf(error);
    if (isForbidden(errno) || isGone(errno)) return [];
    throw error;
  }
}

function openOne(path: string, umask: number, below?: (its: string) => void): void {
  const opened = (found: Stats) => (found.mode & 0o7777) | ((found.isDirectory() ? PERMISSIONS : 0o666) & ~umask);
  changing(path, false, opened, below);
}

/**
 * Changes the mode of a file or a directory, and nothing else's: others may write on a peer, and put a symlink in the place of what was just
 * looked at, which chmod(2) would follow. So it is held, looked at, and changed as what it is (on Linux).
 * @param follow a symlink @param below gets a path of the directory that is the same one whatever stands at `path` meanwhile
 */
function changing(path: string, follow: boolean, changed: (found: Stats) => number, below?: (its: string) => void): void {
  if (!existsSync(HANDLES)) {
    change(path, statOf(path, follow ? statSync : lstatSync), changed, below);
    return;
  }
  let fd: number;
  try {
    fd = openSync(path, O_PATH | (follow ? 0 : constants.O_NOFOLLOW));
  } catch {
    return; // Gone, or not for us to reach.
  }
  try {
    change(`${HANDLES}/${fd}`, fstatSync(fd), changed, below);
  } finally {
    closeSync(fd);
  }
}

function change(its: string, found: Stats | undefined, changed: (found: Stats) => number, below?: (its: string) => void): void {
  if (found?.isDirectory() !== true && found?.isFile() !== true) return;
  const [before, mode] = [found.mode & 0o7777, changed(found) & 0o7777];
  try {
    if (before !== mode) chmodSync(its, mode);
  } catch {
    // Another user's directory, or a file system without modes. `status` shows whether others get in.
  }
  if (found.isDirectory()) below?.(its);
}

function othersIn(path: string): number {
  return (modeOf(path) ?? 0) & OTHERS_ENTER;
}

function modeOf(path: string): number | undefined {
  return statOf(path)?.mode;
}

function statOf(path: string, stat: typeof statSync = statSync): Stats | undefined {
  try {
    return stat(path, { throwIfNoEntry: false });
  } catch {
    return undefined;
  }
}
