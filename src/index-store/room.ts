/** Room on the disk of the index. */
import { statfsSync } from 'node:fs';
import { ioError } from '../errors.ts';

/** A commit that finds the disk full may end LMDB with corrupted memory rather than an error (seen with lmdb 3.5): it must not get there. */
const LEAST_FREE_BYTES = 2 * 1024 * 1024;

/** A file system that says nothing, or that it has no blocks at all, is not taken for a full one. */
function freeBytes(dir: string): number {
  try {
    const { blocks, bavail, bsize } = statfsSync(dir);
    return blocks > 0 ? bavail * bsize : Number.POSITIVE_INFINITY;
  } catch {
    return Number.POSITIVE_INFINITY;
  }
}

/** @throws ShardctlError `NO_SPACE` */
export function assertRoom(dir: string): void {
  if (freeBytes(dir) >= LEAST_FREE_BYTES) return;
  throw ioError(Object.assign(new Error('disk full'), { code: 'ENOSPC' }), 'writing the index', dir);
}
