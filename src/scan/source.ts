/** The directory that is imported: whether it is there, and stays the same one. */
import { lstatSync } from 'node:fs';
import { displayPath } from '../display.ts';
import { isForbidden } from '../errno.ts';
import { errnoOf, messageOf, ShardctlError } from '../errors.ts';
import { fsPath } from '../fs-path.ts';
import type { ByteString } from '../model.ts';

/** The root's own stat data: it is nobody's entry. */
export interface SourceRoot {
  /** Device and inode: which directory it is. */
  readonly identity: string;
  readonly mode: number;
  readonly mtimeNs: bigint;
}

/** @throws ShardctlError SOURCE_MISSING, SOURCE_UNREADABLE or USAGE when the source is not a directory that can be listed */
export function statSource(source: ByteString): SourceRoot {
  try {
    // The trailing slash follows a symlink to a directory, as rsync's does.
    const stat = lstatSync(fsPath(`${source}/`), { bigint: true });
    return { identity: `${stat.dev}:${stat.ino}`, mode: Number(stat.mode) & 0o7777, mtimeNs: stat.mtimeNs };
  } catch (error) {
    throw sourceError(source, error);
  }
}

/** A disk that is unmounted in the middle of a run looks like a mirror in which everything was deleted. @throws ShardctlError SOURCE_MISSING */
export function assertSameSource(source: ByteString, before: SourceRoot): void {
  if (statSource(source).identity === before.identity) return;
  throw new ShardctlError('SOURCE_MISSING', `${displayPath(source)} was replaced or unmounted during the run: nothing is committed`, {
    hint: 'mount it, and run the same command again',
  });
}

/** What an error in listing the source's root means. */
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
    hint: isForbidden(errno) ? 'run as a user who may read it' : 'see with `ls` and `dmesg` whether its disk or its server is well',
    cause: error,
  });
}
