/**
 * The writing side of `get` and `fetch`: files, directories and symlinks on disk, with mode and mtime. Synchronous calls, because
 * creating a small file costs less than a trip through the thread pool. Nothing is written through a symlink that is there when it is looked
 * at; whoever may write to OUT could put one in the place of a directory that was made.
 */
import { randomUUID } from 'node:crypto';
import {
  closeSync,
  constants,
  fchmodSync,
  ftruncateSync,
  lstatSync,
  lutimesSync,
  mkdirSync,
  openSync,
  readdirSync,
  renameSync,
  rmSync,
  symlinkSync,
} from 'node:fs';
import { displayPath } from '../core/display.ts';
import { cannotSetAttributes, errnoName } from '../core/errno.ts';
import { errnoOf, messageOf, ShardctlError } from '../core/errors.ts';
import type { Libc } from '../core/libc.ts';
import type { ByteString, Metadata } from '../core/model.ts';
import { fsPath } from '../core/path-bytes.ts';
import { openUp, withDirectory } from './directory-access.ts';
import { ModesAtOpen } from './modes-at-open.ts';
import { SparseFile, writeSparse } from './sparse-file.ts';

/** Opens a file that this run has made. Others may have put something else in its place since: a symlink is refused, and a FIFO does not block. */
export const WRITE_MADE = constants.O_WRONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
const NEW_FILE = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;
/** Until its mode is set, a file or directory can be opened by its owner alone; a small file is made with its own at once. */
const PRIVATE_FILE = 0o600;
const PRIVATE_DIRECTORY = 0o700;
const ORDINARY_BITS = 0o777;
const NS_PER_SECOND = 1e9;

/** Finishes what was made at `at`; when that fails, it is deleted. */
function orNothing(at: ByteString, finish: () => void): void {
  try {
    finish();
  } catch (error) {
    rmSync(fsPath(at), { force: true });
    throw error;
  }
}

export interface DestinationOptions {
  /** Without it, times are restored only as exactly as a double of seconds holds them. */
  readonly libc: Libc | undefined;
  /** Replace files and symlinks that are in the way. */
  readonly overwrite: boolean;
  /** Set setuid, setgid and sticky bits: a tree from elsewhere could make its programs run as whoever restores it. */
  readonly specialBits: boolean;
  readonly warn: (message: string, key: string) => void;
}

/** A file that was made before its bytes come. */
export interface MadeFile {
  readonly path: ByteString;
  /** The existing file that this one replaces, once it is complete; `path` is a temporary name then. */
  readonly replaces: ByteString | undefined;
}

/** A file that is being written. */
export interface OpenFile extends MadeFile {
  readonly content: SparseFile;
  isOpen: boolean;
}

export class Destination {
  readonly #options: DestinationOptions;
  readonly #warned = new Set<string>();
  /** Entries whose special bits were left out. */
  withheld = 0;
  /** The directory that is restored into, once it is entered. */
  #top: { readonly path: ByteString; readonly dev: number; readonly ino: number } | undefined;

  readonly #modesAtOpen = new ModesAtOpen();

  constructor(options: DestinationOptions) {
    this.#options = options;
    if (options.libc === undefined) this.warn('this system sets times to the microsecond only');
  }

  /** Whether `get` needs --overwrite because something is at `path`. Only a directory may go to an empty directory. */
  isTaken(path: ByteString, forDirectory: boolean): boolean {
    try {
      if (!lstatSync(fsPath(path)).isDirectory()) return true;
      return !forDirectory || readdirSync(fsPath(path)).length > 0;
    } catch (error) {
      if (errnoOf(error) === 'ENOENT') return false;
      throw error;
    }
  }

  /** Whether the directory that is restored into is still where it was: its disk may have been unmounted, or somebody may have moved it. */
  isStillThere(): boolean {
    if (this.#top === undefined) return true;
    try {
      const there = lstatSync(fsPath(this.#top.path));
      return there.dev === this.#top.dev && there.ino === this.#top.ino;
    } catch {
      return false;
    }
  }

  createFile(path: ByteString, metadata: Metadata): OpenFile {
    const mode = metadata.mode === undefined ? 0o666 : PRIVATE_FILE;
    return this.#making(path, (at, replaces) => {
      return { content: new SparseFile(openSync(fsPath(at), NEW_FILE, mode)), path: at, replaces, isOpen: true };
    });
  }

  /** A small file in one go. What it leaves when it fails is deleted. */
  writeFile(path: ByteString, bytes: Uint8Array, metadata: Metadata): void {
    const { mode = 0o666 } = metadata;
    const isOrdinary = mode <= ORDINARY_BITS;
    this.#making(path, (at, replaces) => {
      const fd = openSync(fsPath(at), NEW_FILE, isOrdinary ? mode : PRIVATE_FILE);
      orNothing(at, () => {
        try {
          if (writeSparse(fd, bytes, 0) < bytes.length) ftruncateSync(fd, bytes.length);
          this.#setMetadata(fd, at, metadata, isOrdinary && this.#modesAtOpen.isExact(fd, at, mode));
        } finally {
          closeSync(fd);
        }
        if (replaces !== undefined) renameSync(fsPath(at), fsPath(replaces));
      });
    });
  }

  /** Makes a file of this many bytes, which is all one hole: others open it, write parts of it, and finish it. */
  makeFile(path: ByteString, size: number, metadata: Metadata): MadeFile {
    const mode = metadata.mode === undefined ? 0o666 : PRIVATE_FILE;
    return this.#making(path, (at, replaces) => {
      const fd = openSync(fsPath(at), NEW_FILE, mode);
      try {
        orNothing(at, () => ftruncateSync(fd, size));
        return { path: at, replaces };
      } finally {
        closeSync(fd);
      }
    });
  }

  /** Closes the file, too. */
  finishMade(fd: number, { path, replaces }: MadeFile, metadata: Metadata): void {
    this.#finish(fd, path, metadata);
    if (replaces !== undefined) renameSync(fsPath(path), fsPath(replaces));
  }

  dropMade({ path }: MadeFile): void {
    rmSync(fsPath(path), { force: true });
  }

  /** Also closes the file. */
  #finish(fd: number, path: ByteString, metadata: Metadata): void {
    try {
      this.#setMetadata(fd, path, metadata);
    } finally {
      closeSync(fd);
    }
  }

  /** To be called after the data is written, because writing clears the setuid bit and changes the mtime. */
  #setMetadata(fd: number, path: ByteString, { mode, mtimeNs }: Metadata, hasMode = false): void {
    if (mode !== undefined && !hasMode) this.#setMode(fd, mode);
    this.#setMtime(path, mtimeNs, fd);
  }

  write({ content }: OpenFile, bytes: Uint8Array): void {
    content.write(bytes);
  }

  finishFile(file: OpenFile, metadata: Metadata): void {
    const { content } = file;
    content.end();
    file.isOpen = false;
    this.#finish(content.fd, file.path, metadata);
    if (file.replaces !== undefined) renameSync(fsPath(file.path), fsPath(file.replaces));
  }

  /** Deletes a file that is not complete, so that nobody takes it for the whole one. */
  dropFile({ content, path, isOpen }: OpenFile): void {
    if (isOpen) closeSync(content.fd);
    rmSync(fsPath(path), { force: true });
  }

  createSymlink(path: ByteString, target: Uint8Array, { mtimeNs }: Metadata): void {
    // Node throws an error without an errno for these, and the system call would end the target at the zero byte.
    if (target.includes(0)) throw Object.assign(new Error('EINVAL: the target of a symlink cannot hold a zero byte'), { code: 'EINVAL' });
    this.#making(path, (at, replaces) => {
      symlinkSync(Buffer.from(target), fsPath(at));
      orNothing(at, () => {
        this.#setMtime(at, mtimeNs);
        if (replaces !== undefined) renameSync(fsPath(at), fsPath(replaces));
      });
    });
  }

  /** Makes a directory that its owner can write to, whatever mode it gets at the end. @param isTop whether it is the directory that is restored into, which may exist */
  enterDirectory(path: ByteString, metadata: Metadata, isTop: boolean): void {
    this.#makeDirectory(path, metadata.mode === undefined ? 0o777 : PRIVATE_DIRECTORY, isTop);
    if (!isTop) return;
    const { dev, ino } = lstatSync(fsPath(path));
    this.#top = { path, dev, ino };
  }

  #makeDirectory(path: ByteString, newMode: number, mayBeThere: boolean): void {
    try {
      return void mkdirSync(fsPath(path), newMode);
    } catch (error) {
      if (errnoOf(error) !== 'EEXIST') throw error;
    }
    const { mode } = lstatSync(fsPath(path));
    const isDirectory = (mode & constants.S_IFMT) === constants.S_IFDIR;
    if (!isDirectory || !(this.#options.overwrite || mayBeThere)) {
      this.#assertReplaceable(path);
      rmSync(fsPath(path), { force: true });
      mkdirSync(fsPath(path), newMode);
    } else if ((mode & PRIVATE_DIRECTORY) !== PRIVATE_DIRECTORY) {
      openUp(path, (mode & 0o7777) | PRIVATE_DIRECTORY);
    }
  }

  /** Sets mode and mtime, after everything below is restored: each new entry changes the mtime, and the mode may forbid new entries. */
  leaveDirectory(path: ByteString, { mode, mtimeNs }: Metadata): void {
    if (mode === undefined) this.#setMtime(path, mtimeNs);
    else
      withDirectory(path, (fd) => {
        this.#setMode(fd, mode);
        this.#setMtime(path, mtimeNs, fd);
      });
  }

  #setMode(fd: number, mode: number): void {
    // Without setuid, setgid and sticky.
    const given = this.#options.specialBits ? mode : mode & ORDINARY_BITS;
    if (given !== mode) this.withheld++;
    this.#tolerate('modes', () => fchmodSync(fd, given));
  }

  /** Makes a file or a symlink; beside the one that is there, which may be all that its owner has when this one turns out to be damaged. */
  #making<T>(path: ByteString, make: (at: ByteString, replaces: ByteString | undefined) => T): T {
    try {
      return make(path, undefined);
    } catch (error) {
      if (errnoOf(error) !== 'EEXIST') throw error;
    }
    this.#assertReplaceable(path);
    return make(`${path.slice(0, path.lastIndexOf('/') + 1)}.shardctl-${randomUUID()}`, path);
  }

  #assertReplaceable(path: ByteString): void {
    const isDirectory = lstatSync(fsPath(path)).isDirectory();
    if (this.#options.overwrite && !isDirectory) return;
    throw new ShardctlError('USAGE', `"${displayPath(path)}" is in the way${isDirectory ? ': it is a directory' : ''}`, {
      hint: isDirectory ? 'a directory is never replaced: move it elsewhere' : 'give another OUT, or --overwrite',
    });
  }

  /** @param fd of the entry, if it is open: to look up no path is faster, and leads to nothing else */
  #setMtime(path: ByteString, mtimeNs: bigint | undefined, fd?: number): void {
    if (mtimeNs === undefined) return;
    const { libc } = this.#options;
    if (libc !== undefined) {
      const errno = fd === undefined ? libc.setMtime(Buffer.from(path, 'latin1'), mtimeNs) : libc.setMtimeOf(fd, mtimeNs);
      if (errno !== 0) this.warn(`times cannot be restored there (${errnoName(errno)}, first for "${displayPath(path)}")`, 'times');
      return;
    }
    // Given as text, because Node takes a negative number for "now".
    const seconds = String(Number(mtimeNs) / NS_PER_SECOND);
    this.#tolerate('times', () => lutimesSync(fsPath(path), seconds, seconds));
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
