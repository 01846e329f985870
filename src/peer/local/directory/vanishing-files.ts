/** Files of a local peer that another home's process may remove or rename at any moment: "it is not there" is an answer, and no failure. */
import { randomUUID } from 'node:crypto';
import { type Dirent, lstatSync, readdirSync } from 'node:fs';
import { link, lstat, readdir, rename, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { isForbidden, isGone, isUnsupported } from '../../../core/errno.ts';
import { errnoOf } from '../../../core/errors.ts';
import { removeFile } from '../../../core/remove-file.ts';

/** What the system has in memory is asked for in this thread. Where it takes longer than this, a disk is asked, which threads wait for, and this one is free for others. */
export const IN_MEMORY_MS = 0.5;

/** The result of the operation; undefined when its file is not there. @throws every other failure: a disk that cannot be read says nothing */
export async function ifThere<T>(operation: Promise<T>): Promise<T | undefined> {
  try {
    return await operation;
  } catch (error) {
    // ENOTDIR: somebody's file stands where a directory should be, so what should be in that directory is not there either. ELOOP:
    // symlinks that lead in a circle lead to nothing.
    if (isNotThere(error)) return undefined;
    throw error;
  }
}

function isNotThere(error: unknown): boolean {
  return isGone(errnoOf(error)) || errnoOf(error) === 'ELOOP';
}

/** Whether anything has this name. */
export async function isThere(path: string): Promise<boolean> {
  return (await ifThere(lstat(path))) !== undefined;
}

/** How long a file is; undefined when there is none, whatever else may stand in its place. */
export async function sizeAt(path: string): Promise<number | undefined> {
  const found = await ifThere(stat(path));
  return found?.isFile() === true ? found.size : undefined;
}

/** As `sizeAt`, without a thread: a fifth of the time for what the system has in memory. Undefined also of a symlink, which may lead anywhere. */
export function sizeIfThere(path: string): number | undefined {
  const found = nowIfThere(() => lstatSync(path, { throwIfNoEntry: false }));
  return found?.isFile() === true ? found.size : undefined;
}

/** As `ifThere`, without a thread. */
function nowIfThere<T>(operation: () => T): T | undefined {
  try {
    return operation();
  } catch (error) {
    if (isNotThere(error)) return undefined;
    throw error;
  }
}

/** @returns false when the file is not there, or not any more */
export async function renameIfThere(from: string, to: string): Promise<boolean> {
  return (await ifThere(rename(from, to).then(() => true))) ?? false;
}

/**
 * As `renameIfThere`, also where both are names of one file: rename(2) does nothing then and says that it did. A run that died in
 * `renameIfFree` leaves two names, and whoever shares the peer can make them.
 */
export async function renameAway(from: string, to: string): Promise<boolean> {
  if (!(await renameIfThere(from, to))) return false;
  if (!(await isOneFile(from, to))) return true;
  // By a name that nobody else knows. To remove `from` instead could take what another home has put there since.
  const between = `${to}.${randomUUID()}.new`;
  if (await renameIfThere(from, between)) await rename(between, to);
  await removeFile(between);
  return true;
}

async function isOneFile(path: string, other: string): Promise<boolean> {
  const [one, two] = [await ifThere(lstat(path, { bigint: true })), await ifThere(lstat(other, { bigint: true }))];
  return one !== undefined && one.ino === two?.ino && one.dev === two.dev;
}

/**
 * As `renameIfThere`, and never in place of what is there: what was put there meanwhile is newer, and it may have been read and found whole.
 * @returns false also when something is there
 */
export async function renameIfFree(from: string, to: string): Promise<boolean> {
  try {
    await link(from, to);
  } catch (error) {
    const errno = errnoOf(error);
    if (errno === 'EEXIST' || isGone(errno)) return false;
    // A file system without hard links, or a file of somebody else, to which the system lets only its owner give another name.
    if (!isForbidden(errno) && !isUnsupported(errno) && errno !== 'EMLINK') throw error;
    return !(await isThere(to)) && (await renameIfThere(from, to));
  }
  await removeFile(from);
  return true;
}

/** Sorted; none when the directory is not there. */
export async function namesIn(folder: string): Promise<string[]> {
  return ((await ifThere(readdir(folder))) ?? []).sort();
}

/**
 * As `filesIn`, and none when the directory is not there. For one directory after another, in the way that was the faster one the last time: 147 of them take 1 ms of processor time in this thread, and 5 through Node's.
 * @param isOwn whether this thread may ask for what is in a directory (`own-folders.ts`)
 */
export function filesInEach(
  isOwn: (folder: string) => boolean,
  now: () => number = () => performance.now(),
): (folder: string) => Promise<string[]> {
  let isInMemory = true;
  return async (folder) => {
    const began = now();
    const entries = isInMemory && isOwn(folder) ? nowIfThere(() => readdirSync(folder, WITH_KINDS)) : undefined;
    const files = entries === undefined ? await ifThere(filesIn(folder)) : await filesOf(folder, entries);
    isInMemory = now() - began < IN_MEMORY_MS;
    return files ?? [];
  };
}

const WITH_KINDS = { withFileTypes: true } as const;

/** Names of the files in a directory, those that symlinks lead to among them, sorted. @throws Error with an errno, also when the directory is not there */
export async function filesIn(folder: string): Promise<string[]> {
  const entries = await ifThere(readdir(folder, WITH_KINDS));
  if (entries !== undefined) return await filesOf(folder, entries);
  // Where a directory does not tell what is a file (XFS without ftype, NFS, FUSE), Node looks at each name, and fails when one has vanished.
  const names: string[] = [];
  for (const name of await readdir(folder)) if ((await sizeAt(join(folder, name))) !== undefined) names.push(name);
  return names.sort();
}

async function filesOf(folder: string, entries: readonly Dirent[]): Promise<string[]> {
  const names: string[] = [];
  for (const entry of entries)
    if (entry.isFile() || (entry.isSymbolicLink() && (await sizeAt(join(folder, entry.name))) !== undefined)) names.push(entry.name);
  return names.sort();
}
