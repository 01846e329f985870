/** Sets modes and times of what was restored. Where a file system keeps none of them, it says so once. */
import { fchmodSync, futimesSync, lutimesSync } from 'node:fs';
import { displayPath } from '../core/display.ts';
import { cannotSetAttributes, errnoName } from '../core/errno.ts';
import { errnoOf, messageOf } from '../core/errors.ts';
import type { Libc } from '../core/libc.ts';
import type { ByteString } from '../core/model.ts';
import { fsPath } from '../core/path-bytes.ts';

/** Without setuid, setgid and sticky. */
const ORDINARY_BITS = 0o777;
const NS_PER_SECOND = 1e9;

export interface MetadataOptions {
  /** Without it, times are restored only as exactly as a double of seconds holds them. */
  readonly libc: Libc | undefined;
  /** Set setuid, setgid and sticky bits: a tree from elsewhere could make its programs run as whoever restores it. */
  readonly specialBits: boolean;
  readonly warn: (message: string, key: string) => void;
}

export class EntryMetadata {
  readonly #options: MetadataOptions;
  readonly #warned = new Set<string>();
  /** Entries whose special bits were left out. */
  withheld = 0;

  constructor(options: MetadataOptions) {
    this.#options = options;
    if (options.libc === undefined) this.warn('this system sets times to the microsecond only');
  }

  setMode(fd: number, mode: number): void {
    const given = this.#options.specialBits ? mode : mode & ORDINARY_BITS;
    if (given !== mode) this.withheld++;
    this.#tolerate('modes', () => fchmodSync(fd, given));
  }

  /**
   * @param path by which people know it @param entry its descriptor, if it is open: to look up no path is faster, and leads to nothing else;
   * or where it is reached: a symlink is not followed
   */
  setMtime(path: ByteString, mtimeNs: bigint | undefined, entry: { readonly at: ByteString } | { readonly fd: number }): void {
    if (mtimeNs === undefined) return;
    const { libc } = this.#options;
    if (libc !== undefined) {
      const errno = 'fd' in entry ? libc.setMtimeOf(entry.fd, mtimeNs) : libc.setMtime(Buffer.from(entry.at, 'latin1'), mtimeNs);
      if (errno !== 0) this.warn(`times cannot be restored there (${errnoName(errno)}, first for "${displayPath(path)}")`, 'times');
      return;
    }
    // Given as text, because Node takes a negative number for "now".
    const seconds = String(Number(mtimeNs) / NS_PER_SECOND);
    this.#tolerate('times', () => {
      if ('fd' in entry) futimesSync(entry.fd, seconds, seconds);
      else lutimesSync(fsPath(entry.at), seconds, seconds);
    });
  }

  /** Only warns when the file system has no modes or times of its own (FAT, some network mounts): the data can be restored all the same. */
  #tolerate(what: 'modes' | 'times', set: () => void): void {
    try {
      set();
    } catch (error) {
      if (!cannotSetAttributes(errnoOf(error))) throw error;
      this.warn(`${what} cannot be restored there: ${messageOf(error)}`, what);
    }
  }

  /** Says so once. @param key of the messages that say the same of different entries */
  readonly warn = (message: string, key = message): void => {
    if (this.#warned.has(key)) return;
    this.#warned.add(key);
    this.#options.warn(message, key);
  };
}
