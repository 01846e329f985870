/** Files that another process may take away at any moment: that one is not there is an answer. */
import { readdir, rename, stat } from 'node:fs/promises';
import { errnoOf } from '../../../core/errors.ts';

/** What the operation gives; undefined when its file is not there. */
export async function ifThere<T>(operation: Promise<T>): Promise<T | undefined> {
  try {
    return await operation;
  } catch (error) {
    // Where a directory should be stands somebody's file: what should be in it is not there either.
    if (errnoOf(error) === 'ENOENT' || errnoOf(error) === 'ENOTDIR') return undefined;
    throw error;
  }
}

export async function isThere(path: string): Promise<boolean> {
  return (await ifThere(stat(path))) !== undefined;
}

/** @returns false when it is not there (any more) */
export async function renameIfThere(from: string, to: string): Promise<boolean> {
  return (await ifThere(rename(from, to).then(() => true))) ?? false;
}

/** In order; none when the directory is not there. */
export async function namesIn(folder: string): Promise<string[]> {
  return ((await ifThere(readdir(folder))) ?? []).sort();
}
