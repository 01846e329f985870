/** Where an entry of a tree lies on disk, and what is there. */
import { type BigIntStats, lstatSync } from 'node:fs';
import { errnoOf } from '../../core/errors.ts';
import { type ByteString, DIRECTORY, type EntryKind, FILE, SYMLINK } from '../../core/model.ts';
import { fsPath } from '../../core/path-bytes.ts';

/** Bits of a mode, without which its owner cannot list a directory, look into it or change it. */
export const OWNER_MAY_ALL = 0o700;

/** There is no such directory, or what is there is none, or a symlink. */
const NO_DIRECTORY = new Set(['ENOENT', 'ENOTDIR', 'ELOOP']);

export function isNoDirectory(error: unknown): boolean {
  return NO_DIRECTORY.has(errnoOf(error) ?? '');
}

export function kindOf(stat: BigIntStats): EntryKind {
  return stat.isDirectory() ? DIRECTORY : stat.isSymbolicLink() ? SYMLINK : FILE;
}

/** Where an entry lies; the directory itself for the empty path. */
export function placeIn(directory: ByteString, path: ByteString): ByteString {
  return path === '' ? directory : `${directory}/${path}`;
}

/** Of a name that is too long for the file system, nothing can be there either. */
const NOTHING_THERE = new Set(['ENOENT', 'ENOTDIR', 'ENAMETOOLONG']);

/** Undefined when there is nothing. */
export function lookAt(path: ByteString): BigIntStats | undefined {
  try {
    return lstatSync(fsPath(path), { bigint: true });
  } catch (error) {
    if (NOTHING_THERE.has(errnoOf(error) ?? '')) return undefined;
    throw error;
  }
}
