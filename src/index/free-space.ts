/** Refuses to write to the index when the disk is nearly full. */

import { freeBytesIn } from '../core/disk-space.ts';
import { ioError } from '../core/errors.ts';

/** With less, no commit is tried: on a full disk LMDB may corrupt the memory of the process instead of failing (seen with lmdb 3.5). */
const LEAST_FREE_BYTES = 2 * 1024 * 1024;

/** @throws ShardctlError `NO_SPACE` */
export function assertRoom(dir: string): void {
  if (freeBytesIn(dir) >= LEAST_FREE_BYTES) return;
  throw ioError(Object.assign(new Error('disk full'), { code: 'ENOSPC' }), 'writing the index', dir);
}
