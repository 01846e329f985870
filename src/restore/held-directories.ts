/**
 * Directories below one that is open, each of which is opened from there on, without following a symlink, and held open while it is worked in.
 * So whoever else may write there cannot lead a change elsewhere by putting a symlink in the place of a directory. Entries are reached as
 * `/proc/self/fd/N/name`, because Node has no openat(2); new files by our own call of it (`restored-into.ts`).
 */
import { closeSync, constants, existsSync, lstatSync, openSync } from 'node:fs';
import type { ByteString } from '../core/model.ts';
import { fsPath, partsOf } from '../core/path-bytes.ts';

/** What a process has open, by descriptor. */
export const HANDLES = '/proc/self/fd';
/** Linux: a handle for paths alone, of a directory that may not be read, too. */
const O_PATH = 0o10000000;
const DIRECTORY_ITSELF = O_PATH | constants.O_DIRECTORY | constants.O_NOFOLLOW;

/** Where there is no `/proc`, paths are what they are everywhere. */
export function canHoldDirectories(): boolean {
  return existsSync(HANDLES);
}

/** The path of what is open. */
export function handlePath(fd: number): ByteString {
  return `${HANDLES}/${fd}`;
}

/** @param named whether whoever runs this has named it himself: then it may be a symlink @throws Error with an errno when it is no directory */
export function openDirectory(path: ByteString, named = false): number {
  return openSync(fsPath(path), named ? O_PATH | constants.O_DIRECTORY : DIRECTORY_ITSELF);
}

/** A directory that stays the same one, whatever its path leads to. */
export interface HeldDirectory {
  /** In front of a slash and a name. */
  readonly inside: ByteString;
  /** Where its mode can be set. */
  readonly itself: ByteString;
  close(): void;
}

/** @throws Error with an errno when it is no directory, or a symlink */
export function hold(path: ByteString): HeldDirectory {
  if (!canHoldDirectories()) {
    if (!lstatSync(fsPath(path)).isDirectory()) throw Object.assign(new Error(`ENOTDIR: ${path}`), { code: 'ENOTDIR' });
    return { inside: path, itself: path, close: () => {} };
  }
  const fd = openDirectory(path);
  return { inside: handlePath(fd), itself: handlePath(fd), close: () => closeSync(fd) };
}

/** Holds few of them open, those that were used last: a tree is walked directory by directory. */
export class HeldDirectories {
  readonly #top: number;
  readonly #most: number;
  /** By paths from the top; the one that was used last is the last. */
  readonly #open = new Map<ByteString, number>();
  /** The directory of the last entry: mostly that of the next one, too. */
  #last = { directory: '', inside: '', fd: -1 };

  /** @param top descriptor of the open directory, which the caller closes @param most how many are held at a time, two at least */
  constructor(top: number, most: number) {
    this.#top = top;
    this.#most = most;
  }

  /** Where an entry can be made, renamed, deleted and opened. @param path from the top, which the empty path is @throws Error with an errno when its directory is none, or a symlink */
  at(path: ByteString): ByteString {
    const { above, name } = partsOf(path);
    if (this.#last.inside === '' || this.#last.directory !== above) {
      const fd = this.#handleOf(above);
      this.#last = { directory: above, inside: `${handlePath(fd)}/`, fd };
    }
    return this.#last.inside + (path === '' ? '.' : name);
  }

  /** The descriptor of the directory of the entry that `at` was asked for last. */
  get lastDirectory(): number {
    return this.#last.fd;
  }

  /** Where the mode of a directory can be set, whatever its mode is. Throws as `at`. */
  itself(directory: ByteString): ByteString {
    return handlePath(this.#handleOf(directory));
  }

  /** For when directories have other places now: those that are held open are not what their paths say. */
  clear(): void {
    for (const fd of this.#open.values()) closeSync(fd);
    this.#open.clear();
    this.#last = { directory: '', inside: '', fd: -1 };
  }

  /** From the nearest one above it that is open. */
  #handleOf(directory: ByteString): number {
    this.#last.inside = '';
    let fd = this.#top;
    const missing: ByteString[] = [];
    for (let at = directory; at !== ''; at = partsOf(at).above) {
      const known = this.#open.get(at);
      if (known === undefined) missing.push(at);
      else {
        fd = known;
        this.#open.delete(at);
        this.#open.set(at, fd);
        break;
      }
    }
    for (let at = missing.pop(); at !== undefined; at = missing.pop()) {
      fd = openDirectory(`${handlePath(fd)}/${partsOf(at).name}`);
      this.#open.set(at, fd);
      const [oldest] = this.#open;
      if (this.#open.size <= this.#most || oldest === undefined) continue;
      closeSync(oldest[1]);
      this.#open.delete(oldest[0]);
    }
    return fd;
  }
}
