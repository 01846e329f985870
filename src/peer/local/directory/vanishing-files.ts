/** Files of a local peer that another home's process may remove or rename at any moment: "it is not there" is an answer, and no failure. */
import { statSync } from 'node:fs';
import { readdir, rename, stat } from 'node:fs/promises';
import { isGone } from '../../../core/errno.ts';
import { errnoOf } from '../../../core/errors.ts';

/** The result of the operation; undefined when its file is not there. @throws every other failure: a disk that cannot be read says nothing */
export async function ifThere<T>(operation: Promise<T>): Promise<T | undefined> {
  try {
    return await operation;
  } catch (error) {
    // ENOTDIR: somebody's file stands where a directory should be, so what should be in that directory is not there either.
    if (isGone(errnoOf(error))) return undefined;
    throw error;
  }
}

/** Bytes of the file; undefined when it is not there. Without a thread: a fifth of the time for what the system has in memory. */
export function sizeIfThere(path: string): number | undefined {
  try {
    return statSync(path, { throwIfNoEntry: false })?.size;
  } catch (error) {
    if (isGone(errnoOf(error))) return undefined;
    throw error;
  }
}

export async function isThere(path: string): Promise<boolean> {
  return (await ifThere(stat(path))) !== undefined;
}

/** @returns false when the file is not there, or not any more */
export async function renameIfThere(from: string, to: string): Promise<boolean> {
  return (await ifThere(rename(from, to).then(() => true))) ?? false;
}

/** Sorted; none when the directory is not there. */
export async function namesIn(folder: string): Promise<string[]> {
  return ((await ifThere(readdir(folder))) ?? []).sort();
}
