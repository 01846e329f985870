/**
 * The writing side of `get` and `fetch`: files, directories and symlinks on disk, with mode and mtime. Synchronous calls, because
 * creating a small file costs less than a trip through the thread pool. Whoever else may write below the directory that is restored into could put
 * a symlink in the place of one that was made: so each is opened from the top on, following none (`restored-into.ts`).
 */
import { randomUUID } from 'node:crypto';
import {
  closeSync,
  constants,
  fstatSync,
  ftruncateSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  renameSync,
  type Stats,
  statSync,
  symlinkSync,
} from 'node:fs';
import { displayPath } from '../core/display.ts';
import { errnoOf, ShardctlError } from '../core/errors.ts';
import type { Libc } from '../core/libc.ts';
import type { ByteString, Metadata } from '../core/model.ts';
import { fsPath, partsOf, toBytes } from '../core/path-bytes.ts';
import { removeFileSync } from '../core/remove-file.ts';
import { openUp, withDirectory } from './directory-access.ts';
import { EntryMetadata, type MetadataOptions } from './entry-metadata.ts';
import { ModesAtOpen } from './modes-at-open.ts';
import { RestoredInto } from './restored-into.ts';
import { SparseFile, writeSparse } from './sparse-file.ts';

/** For a file that this run has made. Others may have put something else in its place since: a symlink is refused, and a FIFO does not block. */
const WRITE_MADE = constants.O_WRONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
/** Until its mode is set, a file or directory can be opened by its owner alone; a small file is made with its own at once. */
const PRIVATE_FILE = 0o600;
const PRIVATE_DIRECTORY = 0o700;
const ORDINARY_BITS = 0o777;

/** Whether `get` needs --overwrite because something is at `path`. Only a directory may go to an empty directory. */
export function isTaken(path: ByteString, forDirectory: boolean): boolean {
  try {
    if (!lstatSync(fsPath(path)).isDirectory()) return true;
    return !forDirectory || readdirSync(fsPath(path)).length > 0;
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return false;
    throw error;
  }
}

/**
 * A device, a FIFO or a socket is what other programs reach something by, /dev/null for one: no file takes its name, whatever options say.
 * @param out where a file or a directory is to come; a symlink counts as what it leads to
 * @throws ShardctlError `USAGE`
 */
export function refuseSpecial(out: string): void {
  let there: Stats;
  try {
    there = statSync(out);
  } catch {
    // Nothing, or a symlink that leads nowhere; what else is wrong with the place is told when it is written to.
    return;
  }
  if (there.isFile() || there.isDirectory()) return;
  throw new ShardctlError('USAGE', `"${displayPath(toBytes(out))}" is a device, a FIFO or a socket, which is never replaced`, {
    hint: 'name a file; - is stdout',
  });
}

/** Finishes what was made at `at`; when that fails, it is deleted. */
function orNothing(at: ByteString, finish: () => void): void {
  try {
    finish();
  } catch (error) {
    removeFileSync(fsPath(at));
    throw error;
  }
}

/** The path of another entry of the same directory. */
function beside(path: ByteString, name: ByteString): ByteString {
  return path.slice(0, path.lastIndexOf('/') + 1) + name;
}

/** Gives a file that is complete the name of the one that it replaces, if any. */
function replace(at: ByteString, { replaces }: NewFile): void {
  if (replaces !== undefined) renameSync(fsPath(at), fsPath(beside(at, partsOf(replaces).name)));
}

export interface DestinationOptions extends MetadataOptions {
  /** Replace files and symlinks that are in the way. */
  readonly overwrite: boolean;
}

interface NewFile {
  readonly path: ByteString;
  /** The existing file that this one replaces, once it is complete; `path` is a temporary name then. */
  readonly replaces: ByteString | undefined;
}

/** A file that was made before its bytes come. */
export interface MadeFile extends NewFile {
  /** Which file it is. */
  readonly dev: number;
  readonly ino: number;
}

/** A file that is being written. */
export interface OpenFile extends NewFile {
  readonly content: SparseFile;
  isOpen: boolean;
}

export class Destination {
  readonly #overwrite: boolean;
  readonly into = new RestoredInto();
  readonly metadata: EntryMetadata;
  readonly #modesAtOpen = new ModesAtOpen();
  readonly #libc: Libc | undefined;

  constructor(options: DestinationOptions) {
    this.#overwrite = options.overwrite;
    this.#libc = options.libc;
    this.metadata = new EntryMetadata(options);
  }

  createFile(path: ByteString, metadata: Metadata): OpenFile {
    const mode = metadata.mode === undefined ? 0o666 : PRIVATE_FILE;
    return this.#making(path, (at, file) => ({ ...file, content: new SparseFile(this.#open(at, mode)), isOpen: true }));
  }

  /** A small file in one go. What it leaves when it fails is deleted. */
  writeFile(path: ByteString, bytes: Uint8Array, metadata: Metadata): void {
    const { mode = 0o666 } = metadata;
    const isOrdinary = mode <= ORDINARY_BITS;
    this.#making(path, (at, file) => {
      const fd = this.#open(at, isOrdinary ? mode : PRIVATE_FILE);
      orNothing(at, () => {
        try {
          if (writeSparse(fd, bytes, 0) < bytes.length) ftruncateSync(fd, bytes.length);
          this.#setMetadata(fd, path, metadata, isOrdinary && this.#modesAtOpen.isExact(fd, path, mode));
        } finally {
          closeSync(fd);
        }
        replace(at, file);
      });
    });
  }

  /** Makes a file of this many bytes, which is all one hole: others open it, write parts of it, and finish it. */
  makeFile(path: ByteString, size: number, metadata: Metadata): MadeFile {
    const mode = metadata.mode === undefined ? 0o666 : PRIVATE_FILE;
    return this.#making(path, (at, file) => {
      const fd = this.#open(at, mode);
      try {
        orNothing(at, () => ftruncateSync(fd, size));
        const { dev, ino } = fstatSync(fd);
        return { ...file, dev, ino };
      } finally {
        closeSync(fd);
      }
    });
  }

  #open(at: ByteString, mode: number): number {
    return this.into.makeFile(at, mode, this.#libc);
  }

  /** For writing to its places. @throws Error with an errno, ShardctlError `USAGE` when another file is in its place, which may have a name elsewhere, too */
  openMade({ path, dev, ino }: MadeFile): number {
    return this.into.at(path, (at) => {
      const fd = openSync(fsPath(at), WRITE_MADE);
      const there = fstatSync(fd);
      if (there.dev === dev && there.ino === ino) return fd;
      closeSync(fd);
      throw new ShardctlError('USAGE', `somebody has put another file in the place of "${displayPath(path)}"`, {
        hint: 'run the command again with --overwrite',
      });
    });
  }

  /** Closes the file, too. */
  finishMade(fd: number, file: NewFile, metadata: Metadata): void {
    this.#finish(fd, file.path, metadata);
    this.into.at(file.path, (at) => replace(at, file));
  }

  dropMade({ path }: NewFile): void {
    this.into.at(path, (at) => removeFileSync(fsPath(at)));
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
    if (mode !== undefined && !hasMode) this.metadata.setMode(fd, mode);
    this.metadata.setMtime(path, mtimeNs, { fd });
  }

  write({ content }: OpenFile, bytes: Uint8Array): void {
    content.write(bytes);
  }

  finishFile(file: OpenFile, metadata: Metadata): void {
    const { content } = file;
    content.end();
    file.isOpen = false;
    this.finishMade(content.fd, file, metadata);
  }

  /** Deletes a file that is not complete, so that nobody takes it for the whole one. */
  dropFile(file: OpenFile): void {
    if (file.isOpen) closeSync(file.content.fd);
    this.dropMade(file);
  }

  createSymlink(path: ByteString, target: Uint8Array, { mtimeNs }: Metadata): void {
    // Node throws an error without an errno for these, and the system call would end the target at the zero byte.
    if (target.includes(0)) throw Object.assign(new Error('EINVAL: the target of a symlink cannot hold a zero byte'), { code: 'EINVAL' });
    this.#making(path, (at, file) => {
      symlinkSync(Buffer.from(target), fsPath(at));
      orNothing(at, () => {
        this.metadata.setMtime(path, mtimeNs, { at });
        replace(at, file);
      });
    });
  }

  /** Makes a directory that its owner can write to, whatever mode it gets at the end. @param isTop whether it is the directory that is restored into, which may exist */
  enterDirectory(path: ByteString, metadata: Metadata, isTop: boolean): void {
    const mode = metadata.mode === undefined ? 0o777 : PRIVATE_DIRECTORY;
    this.into.at(path, (at) => this.#makeDirectory(path, at, mode, isTop));
    if (isTop) this.into.enter(path);
  }

  #makeDirectory(path: ByteString, at: ByteString, newMode: number, mayBeThere: boolean): void {
    try {
      return void mkdirSync(fsPath(at), newMode);
    } catch (error) {
      if (errnoOf(error) !== 'EEXIST') throw error;
    }
    const { mode } = lstatSync(fsPath(at));
    const isDirectory = (mode & constants.S_IFMT) === constants.S_IFDIR;
    if (!isDirectory || !(this.#overwrite || mayBeThere)) {
      this.#assertReplaceable(path, at);
      removeFileSync(fsPath(at));
      mkdirSync(fsPath(at), newMode);
    } else if ((mode & PRIVATE_DIRECTORY) !== PRIVATE_DIRECTORY) {
      openUp(at, (mode & 0o7777) | PRIVATE_DIRECTORY);
    }
  }

  /** Sets mode and mtime, after everything below is restored: each new entry changes the mtime, and the mode may forbid new entries. */
  leaveDirectory(path: ByteString, { mode, mtimeNs }: Metadata): void {
    this.into.at(path, (at) => {
      if (mode === undefined) this.metadata.setMtime(path, mtimeNs, { at });
      else
        withDirectory(at, (fd) => {
          this.metadata.setMode(fd, mode);
          this.metadata.setMtime(path, mtimeNs, { fd });
        });
    });
  }

  /** Makes a file or a symlink; beside the one that is there, which may be all that its owner has when this one turns out to be damaged. */
  #making<T>(path: ByteString, make: (at: ByteString, file: NewFile) => T): T {
    return this.into.at(path, (at) => {
      try {
        return make(at, { path, replaces: undefined });
      } catch (error) {
        if (errnoOf(error) !== 'EEXIST') throw error;
      }
      this.#assertReplaceable(path, at);
      const name = `.shardctl-${randomUUID()}`;
      return make(beside(at, name), { path: beside(path, name), replaces: path });
    });
  }

  #assertReplaceable(path: ByteString, at: ByteString): void {
    const there = lstatSync(fsPath(at));
    const isReplaceable = there.isFile() || there.isSymbolicLink();
    if (this.#overwrite && isReplaceable) return;
    const what = there.isDirectory() ? 'a directory' : 'a device, a FIFO or a socket';
    throw new ShardctlError('USAGE', `"${displayPath(path)}" is in the way${isReplaceable ? '' : `: it is ${what}`}`, {
      hint: isReplaceable ? 'give another OUT, or --overwrite' : `${what} is never replaced: move it elsewhere`,
    });
  }
}
