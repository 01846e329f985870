/**
 * Which other users may read a home or a local peer. A mirror may have files that only its owner may read, and their bytes are in the
 * shards. So homes and local peers are made readable for their owner alone, as by restic and borg, and opened to others by `--shared`.
 */
import { chmodSync, lstatSync, readdirSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';

const OTHERS = 0o077;
/** Permission to enter a directory; without it nobody reads what is in there, whatever the modes below it say. */
const OTHERS_ENTER = 0o011;
const PERMISSIONS = 0o777;
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

/** Takes all permissions of others from a directory, and from those directly in it that `names` has. Modes that cannot be changed stay. */
export function close(directory: string, names: readonly string[]): void {
  for (const path of [...names.map((name) => join(directory, name)), directory]) {
    const mode = modeOf(path);
    if (mode !== undefined && (mode & OTHERS) !== 0) change(path, mode & ~OTHERS);
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
  if (!openOne(path, umask)) return;
  for (const name of readdirSync(path)) if (!NEVER_OPENED.test(name)) openBelow(join(path, name), umask);
}

/** @returns whether it is a directory */
function openOne(path: string, umask: number): boolean {
  const stat = lstatSync(path, { throwIfNoEntry: false });
  if (stat?.isDirectory() !== true && stat?.isFile() !== true) return false;
  const most = stat.isDirectory() ? PERMISSIONS : 0o666;
  change(path, (stat.mode & 0o7777) | (most & ~umask));
  return stat.isDirectory();
}

function change(path: string, mode: number): void {
  try {
    chmodSync(path, mode);
  } catch {
    // Another user's directory, or a file system without modes. `status` shows whether others get in.
  }
}

function othersIn(path: string): number {
  return (modeOf(path) ?? 0) & OTHERS_ENTER;
}

function modeOf(path: string): number | undefined {
  try {
    return statSync(path, { throwIfNoEntry: false })?.mode;
  } catch {
    return undefined;
  }
}
