/** Whether new files get the mode that they are opened with: then nobody need set it, which takes 2 µs a file. */
import { fstatSync } from 'node:fs';
import type { ByteString } from '../core/model.ts';

const ALL_BITS = 0o7777;

/** Holds what became of the mode of the last file that it looked at. */
export class ModesAtOpen {
  #seen = { directory: '', mode: -1, isExact: false };

  /**
   * Whether this new file has just the mode that it was opened with: the umask, an ACL that its directory hands down, or a file system without
   * modes may have changed it. The first file of a directory shows it for those of the same mode after it.
   */
  isExact(fd: number, path: ByteString, mode: number): boolean {
    const slash = path.lastIndexOf('/');
    const seen = this.#seen;
    if (seen.mode === mode && seen.directory.length === slash && path.startsWith(seen.directory)) return seen.isExact;
    const isExact = (fstatSync(fd).mode & ALL_BITS) === mode;
    this.#seen = { directory: path.slice(0, slash), mode, isExact };
    return isExact;
  }
}
