/**
 * The seam through which directories, files and symlinks of the source are opened. The source is a security boundary: whoever may write
 * into it may replace a directory by a symlink at any moment, and no file from elsewhere must get into the tree by that. So every path
 * is followed from the open root, and no part of it may be a symlink. Only the root itself may be one, if the user named it so: it is
 * followed once, when the source is opened.
 */
import { constants } from 'node:fs';
import type { LinuxCalls } from '../core/libc.ts';
import type { ByteString } from '../core/model.ts';

const { O_RDONLY, O_NOFOLLOW, O_NONBLOCK } = constants;
/** How a file is opened: a symlink in its place is refused, and a FIFO does not block. */
export const READ_FILE = O_RDONLY | O_NOFOLLOW | O_NONBLOCK;

/** An open source, as it is passed to other threads of the process. */
export interface SourceHandle {
  readonly path: ByteString;
  /** Descriptor of the root, which stays open until no thread uses it any more. */
  readonly fd: number;
}

/** A directory of the source during a call of `inDirectory`. */
export interface OpenDirectory {
  /** Followed by the name of an entry, the path of that entry. */
  readonly prefix: ByteString;
  /** Descriptor of the directory; undefined where the source is reached by paths. */
  readonly fd: number | undefined;
}

/** `by path`: so that what goes by paths (audit rules, tracers, faults that are injected for one directory) meets the directory under its name. */
export type Opened = 'by path' | 'quickly';

/** Its methods throw the errors of the system calls; where a symlink is in the place of a directory, ENOTDIR. */
export interface Reach {
  /** System calls through koffi. Where they are defined, each `OpenDirectory` has a descriptor. */
  readonly calls: LinuxCalls | undefined;
  inDirectory<T>(path: ByteString, look: (directory: OpenDirectory) => T, opened?: Opened): T;
  /**
   * Opens what should be a file, for reading; a FIFO does not block. The caller closes it, and checks that it is a file.
   * @param seen inode number of the file that was seen there. What is opened is that file, or another one of the source. An inode number
   * may have been given to a new file meanwhile, so the caller compares the ctime, too, before using what was read
   */
  openFile(path: ByteString, seen?: bigint): number;
  readLink(path: ByteString): Buffer;
  close(): void;
}
