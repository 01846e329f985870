/**
 * Who else may read what lies in a directory of ours. A mirror may have files that are for its owner alone, and their bytes are in the
 * shards: so homes and local peers are made for their owner, as by restic and borg, and opened only where somebody says so.
 */
import { chmodSync, lstatSync, readdirSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';

const OTHERS = 0o077;
/** Without it nobody gets at what is in a directory, whatever else he may. */
const OTHERS_ENTER = 0o011;
const PERMISSIONS = 0o777;
/** The notes of homes on a peer: they name where mirrors lie, and are for their owners alone whoever may read the shards. */
const NEVER_OPENED = /\.note$/;

/** Whether its mode lets others into a directory; not when it is not there. */
export function isOpen(directory: string): boolean {
  return othersIn(directory) !== 0;
}

/** Whether others get there: each directory on the way must let them through. @param path without symlinks */
export function isReachable(path: string): boolean {
  for (let directory = path; ; directory = dirname(directory)) {
    if (!isOpen(directory)) return false;
    if (directory === dirname(directory)) return true;
  }
}

/** Keeps others out of a directory, and of those directly in it that are named. What cannot be changed stays as it is. */
export function close(directory: string, names: readonly string[]): void {
  for (const path of [...names.map((name) => join(directory, name)), directory]) {
    const mode = modeOf(path);
    if (mode !== undefined && (mode & OTHERS) !== 0) change(path, mode & ~OTHERS);
  }
}

/**
 * Lets others at a directory and at all that is in those directly in it that are named, as much as the umask allows. What cannot be
 * changed stays as it is.
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
    // Somebody else's directory, or a file system without modes: `status` tells who gets in.
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
