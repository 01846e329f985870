/**
 * The writing side of `get`: files, directories and symlinks on disk, with mode and mtime. Synchronous calls, because
 * creating a small file costs less than a trip through the thread pool. Nothing is ever written through a symlink.
 */
import { randomUUID } from 'node:crypto';
import {
  chmodSync,
  closeSync,
  constants,
  fchmodSync,
  lstatSync,
  lutimesSync,
  mkdirSync,
  openSync,
  readdirSync,
  renameSync,
  rmSync,
  symlinkSync,
} from 'node:fs';
import { displayPath } from '../../core/display.ts';
import { cannotSetAttributes, errnoName } from '../../core/errno.ts';
import { errnoOf, messageOf, ShardctlError } from '../../core/errors.ts';
import type { Emit } from '../../core/events.ts';
import type { Libc } from '../../core/libc.ts';
import type { ByteString, Metadata } from '../../core/model.ts';
import { fsPath } from '../../core/path-bytes.ts';
import { SparseFile } from './sparse-file.ts';

const NEW_FILE = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;
/** Until its mode is set, a file or directory can be opened by its owner alone. */
const PRIVATE_FILE = 0o600;
const PRIVATE_DIRECTORY = 0o700;
/** Without setuid, setgid and sticky. */
const ORDINARY_BITS = 0o777;
const NS_PER_SECOND = 1e9;

/** Opens a directory without following a symlink: others who can write there may have put one in its place. */
function withDirectory(path: ByteString, work: (fd: number) => void): void {
  const fd = openSync(fsPath(path), constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW);
  try {
    work(fd);
  } finally {
    closeSync(fd);
  }
}

export interface DestinationOptions {
  /** Without it, times are restored only as exactly as a double of seconds holds them. */
  readonly libc: Libc | undefined;
  /** Replace files and symlinks that are in the way. */
  readonly overwrite: boolean;
  /** Set setuid, setgid and sticky bits: a tree from elsewhere could make its programs run as whoever restores it. */
  readonly specialBits: boolean;
  readonly emit: Emit;
}

/** A file that is being written. */
export interface OpenFile {
  readonly content: SparseFile;
  readonly path: ByteString;
  /** The existing file that this one replaces, once it is complete; `path` is a temporary name then. */
  readonly replaces: ByteString | undefined;
  isOpen: boolean;
}

export class Destination {
  readonly #options: DestinationOptions;
  readonly #warned = new Set<string>();
  /** Entries whose special bits were left out. */
  withheld = 0;
  /** The directory that is restored into, once it is entered. */
  #top: { readonly path: ByteString; readonly dev: number; readonly ino: number } | undefined;

  constructor(options: DestinationOptions) {
    this.#options = options;
    if (options.libc === undefined) this.#warn('this system sets times to the microsecond only');
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
      const { dev, ino } = lstatSync(fsPath(this.#top.path));
      return dev === this.#top.dev && ino === this.#top.ino;
    } catch {
      return false;
    }
  }

  createFile(path: ByteString, metadata: Metadata): OpenFile {
    const mode = metadata.mode === undefined ? 0o666 : PRIVATE_FILE;
    return this.#making(path, (at, replaces) => ({
      content: new SparseFile(openSync(fsPath(at), NEW_FILE, mode)),
      path: at,
      replaces,
      isOpen: true,
    }));
  }

  write({ content }: OpenFile, bytes: Uint8Array): void {
    content.write(bytes);
  }

  /** Sets mode and mtime after the data is written, because writing clears the setuid bit and changes the mtime. */
  finishFile(file: OpenFile, { mode, mtimeNs }: Metadata): void {
    const { content } = file;
    content.end();
    if (mode !== undefined) this.#setMode(content.fd, mode);
    file.isOpen = false;
    closeSync(content.fd);
    this.#setMtime(file.path, mtimeNs);
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
      this.#setMtime(at, mtimeNs);
      if (replaces !== undefined) renameSync(fsPath(at), fsPath(replaces));
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
      mkdirSync(fsPath(path), newMode);
      return;
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
      this.#openUp(path, (mode & 0o7777) | PRIVATE_DIRECTORY);
    }
  }

  /** Sets mode and mtime after everything below is restored: each new entry changes the mtime, and the mode may forbid new entries. */
  leaveDirectory(path: ByteString, { mode, mtimeNs }: Metadata): void {
    if (mode !== undefined) withDirectory(path, (fd) => this.#setMode(fd, mode));
    this.#setMtime(path, mtimeNs);
  }

  #setMode(fd: number, mode: number): void {
    const given = this.#options.specialBits ? mode : mode & ORDINARY_BITS;
    if (given !== mode) this.withheld++;
    this.#tolerate('modes', () => fchmodSync(fd, given));
  }

  /** Gives the owner access to an existing directory that he may not write to, or not even read. */
  #openUp(path: ByteString, mode: number): void {
    try {
      withDirectory(path, (fd) => fchmodSync(fd, mode));
    } catch (error) {
      if (errnoOf(error) !== 'EACCES') throw error;
      // A directory without read permission cannot be opened, so its mode is set by path; lstat said just before that it is a directory.
      chmodSync(fsPath(path), mode);
    }
  }

  /**
   * Makes a file or a symlink. Where there is one already, the new one is made beside it: the old one may be all that its owner
   * has, when this one turns out to be damaged.
   */
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

  #setMtime(path: ByteString, mtimeNs: bigint | undefined): void {
    if (mtimeNs === undefined) return;
    const { libc } = this.#options;
    if (libc !== undefined) {
      const errno = libc.setMtime(Buffer.from(path, 'latin1'), mtimeNs);
      if (errno !== 0) this.#warn(`times cannot be restored there (${errnoName(errno)}, first for "${displayPath(path)}")`, 'times');
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
      this.#warn(`${what} cannot be restored there: ${messageOf(error)}`, what);
    }
  }

  #warn(message: string, key = message): void {
    if (this.#warned.has(key)) return;
    this.#warned.add(key);
    this.#options.emit({ type: 'warning', message });
  }
}
