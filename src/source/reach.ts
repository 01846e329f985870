/**
 * How what is in the source is reached. The source is a boundary: who may write into it may exchange a directory for a symlink at
 * any moment, and nothing from elsewhere must get into the tree by that. So every path is followed from the open root, and no part
 * of it may be a symlink. Only the root itself may, where the user named one: it is followed once.
 */
import { constants } from 'node:fs';
import type { LinuxCalls } from '../core/libc.ts';
import type { ByteString } from '../core/model.ts';

const { O_RDONLY, O_NOFOLLOW, O_NONBLOCK } = constants;
/** How a file is opened: what else stands in its place neither leads elsewhere nor holds anybody up. */
export const READ_FILE = O_RDONLY | O_NOFOLLOW | O_NONBLOCK;

/** A source that is open, as other threads of the process take it. */
export interface SourceHandle {
  readonly path: ByteString;
  /** Of its root, open until nobody reaches into it any more. */
  readonly fd: number;
}

/** A directory of the source, while somebody looks into it. */
export interface OpenDirectory {
  /** With a name of the directory behind it, a path to that entry. */
  readonly prefix: ByteString;
  /** Undefined where names cannot be looked up in what is open. */
  readonly fd: number | undefined;
}

/** `by path`: so that whatever goes by paths (audit rules, tracers, faults made for one directory) meets it under its name. */
export type Opened = 'by path' | 'quickly';

/** All fail with the errnos of the system calls; a symlink in the place of a directory is ENOTDIR. */
export interface Reach {
  /** With them, an `OpenDirectory` has a descriptor. */
  readonly calls: LinuxCalls | undefined;
  inDirectory<T>(path: ByteString, look: (directory: OpenDirectory) => T, opened?: Opened): T;
  /**
   * Opens what should be a file, for reading; a FIFO does not hold it up. The caller closes it.
   * @param seen inode number of the file that was seen there: then it is that file, or another one of the source. As an inode may have been
   * given to a new file meanwhile, the caller holds its ctime against what was seen, too, before he believes what he reads
   */
  openFile(path: ByteString, seen?: bigint): number;
  readLink(path: ByteString): Buffer;
  close(): void;
}
