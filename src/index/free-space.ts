/** Room on the disk of the index. */

import { freeBytesIn } from '../core/disk-space.ts';
import { ioError } from '../core/errors.ts';

/** A commit that finds the disk full may end LMDB with corrupted memory rather than an error (seen with lmdb 3.5): it must not get there. */
const LEAST_FREE_BYTES = 2 * 1024 * 1024;

/** @throws ShardctlError `NO_SPACE` */
export function assertRoom(dir: string): void {
  if (freeBytesIn(dir) >= LEAST_FREE_BYTES) return;
  throw ioError(Object.assign(new Error('disk full'), { code: 'ENOSPC' }), 'writing the index', dir);
}
