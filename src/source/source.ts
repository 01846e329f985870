/** Opens the directory that is imported, and tells whether it is still the same one. */
import { type BigIntStats, closeSync, constants, fstatSync, lstatSync, openSync } from 'node:fs';
import { displayPath } from '../core/display.ts';
import { isForbidden } from '../core/errno.ts';
import { errnoOf, messageOf, ShardctlError } from '../core/errors.ts';
import type { LinuxCalls } from '../core/libc.ts';
import type { ByteString, Trust } from '../core/model.ts';
import { fsPath } from '../core/path-bytes.ts';
import { reachOf } from './choose-reach.ts';
import { type Looker, makeLooker } from './look.ts';
import type { Reach, SourceHandle } from './reach.ts';

/** Stat data of the root, which is no directory's entry. */
export interface SourceRoot {
  /** With the inode: which directory it is. Each mount has another one. */
  readonly device: bigint;
  readonly inode: bigint;
  readonly mode: number;
  readonly mtimeNs: bigint;
}

/** The source while a run goes on. */
export interface Source extends SourceRoot {
  readonly handle: SourceHandle;
  readonly reach: Reach;
  readonly looker: Looker;
  close(): void;
}

/**
 * @param calls see `reachOf`
 * @throws ShardctlError SOURCE_MISSING, SOURCE_UNREADABLE or USAGE when the source is not a directory that can be listed
 */
export function openSource(path: ByteString, calls: LinuxCalls | undefined): Source {
  const fd = openRoot(path);
  const stat = fstatSync(fd, { bigint: true });
  const handle = { path, fd };
  const reach = reachOf(handle, calls);
  return {
    ...rootOf(stat),
    handle,
    reach,
    looker: makeLooker(reach),
    close() {
      reach.close();
      closeSync(fd);
    },
  };
}

function openRoot(path: ByteString): number {
  try {
    return openSync(fsPath(`${path}/`), constants.O_RDONLY | constants.O_DIRECTORY);
  } catch (error) {
    throw sourceError(path, error);
  }
}

function rootOf({ dev, ino, mode, mtimeNs }: BigIntStats): SourceRoot {
  return { device: dev, inode: ino, mode: Number(mode) & 0o7777, mtimeNs };
}

/** @throws ShardctlError SOURCE_MISSING, SOURCE_UNREADABLE or USAGE when the source is not a directory */
export function statSource(source: ByteString): SourceRoot {
  try {
    // The trailing slash follows a symlink to a directory, as rsync's does.
    return rootOf(lstatSync(fsPath(`${source}/`), { bigint: true }));
  } catch (error) {
    throw sourceError(source, error);
  }
}

/**
 * Called before a commit, because a disk that was unmounted during the run looks like a mirror in which everything was deleted.
 * @param trust with `ignoreInode` the device alone tells, for file systems that give a directory another inode number now and then
 * @throws ShardctlError SOURCE_MISSING
 */
export function assertSameSource(source: ByteString, before: SourceRoot, trust: Pick<Trust, 'ignoreInode'>): void {
  const { device, inode } = statSource(source);
  if (device === before.device && (inode === before.inode || trust.ignoreInode)) return;
  throw new ShardctlError('SOURCE_MISSING', `${displayPath(source)} was replaced or unmounted during the run: nothing is committed`, {
    hint:
      device === before.device
        ? 'run the same command again, with --ignore-inode if nobody replaced it: some file systems, as Kubo’s mounts, number anew'
        : 'mount it, and run the same command again',
  });
}

/** Translates an error of opening or listing the source's root. */
export function sourceError(source: ByteString, error: unknown): unknown {
  const errno = errnoOf(error);
  const shown = displayPath(source);
  if (errno === 'ENOENT') {
    return new ShardctlError('SOURCE_MISSING', `no such directory: ${shown}`, {
      hint: 'check the path; is its disk mounted?',
      cause: error,
    });
  }
  if (errno === 'ENOTDIR') {
    return new ShardctlError('USAGE', `not a directory: ${shown}`, { hint: 'give the directory that holds the repository', cause: error });
  }
  if (errno === undefined) return error;
  return new ShardctlError('SOURCE_UNREADABLE', `cannot list ${shown}: ${messageOf(error)}`, {
    hint: isForbidden(errno) ? 'run as a user who may read it' : 'check with `ls` and `dmesg` whether its disk or its server works',
    cause: error,
  });
}
