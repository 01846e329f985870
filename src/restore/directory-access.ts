/** Directories that are opened to be changed, and not through a symlink. */
import { chmodSync, closeSync, constants, openSync } from 'node:fs';
import type { ByteString } from '../core/model.ts';
import { fsPath } from '../core/path-bytes.ts';
import { hold } from './held-directories.ts';

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
  const directory = hold(path);
  try {
    chmodSync(fsPath(directory.itself), mode);
  } finally {
    directory.close();
  }
}
