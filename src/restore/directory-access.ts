/** Directories that are opened to be changed, and not through a symlink. */
import { chmodSync, closeSync, constants, fchmodSync, openSync } from 'node:fs';
import { errnoOf } from '../core/errors.ts';
import type { ByteString } from '../core/model.ts';
import { fsPath } from '../core/path-bytes.ts';

/** Opens a directory without following a symlink: others who can write there may have put one in its place. */
export function withDirectory(path: ByteString, work: (fd: number) => void): void {
  const fd = openSync(fsPath(path), constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW);
  try {
    work(fd);
  } finally {
    closeSync(fd);
  }
}

/** Gives the owner access to an existing directory that he may not write to, or not even read. */
export function openUp(path: ByteString, mode: number): void {
  try {
    withDirectory(path, (fd) => fchmodSync(fd, mode));
  } catch (error) {
    if (errnoOf(error) !== 'EACCES') throw error;
    // A directory without read permission cannot be opened, so its mode is set by path; lstat said just before that it is a directory.
    chmodSync(fsPath(path), mode);
  }
}
