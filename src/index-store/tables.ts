/** The LMDB environment, opened only where that is safe: lmdb itself dies of a file that is not what it seems. */
import { statfsSync } from 'node:fs';
import { join } from 'node:path';
import { open, type RootDatabase } from 'lmdb';
import { ioError } from '../errors.ts';
import { assertSound } from './tables-check.ts';

/** A commit that finds the disk full may end LMDB with corrupted memory rather than an error (seen with lmdb 3.5): it must not get there. */
const LEAST_FREE_BYTES = 2 * 1024 * 1024;

/** @throws ShardctlError `DAMAGE` when the file is torn or is no such file */
export function openTables(dir: string, readOnly: boolean): RootDatabase {
  const path = join(dir, 'tables');
  assertSound(join(path, 'data.mdb'), dir);
  // Without `overlappingSync` a transaction's promise resolves when it is on disk, which is what every step here waits for.
  return open({ path, maxDbs: 8, readOnly, overlappingSync: false });
}

/** @throws ShardctlError `NO_SPACE` */
export function assertRoom(dir: string): void {
  const { bavail, bsize } = statfsSync(dir);
  if (bavail * bsize >= LEAST_FREE_BYTES) return;
  throw ioError(Object.assign(new Error('disk full'), { code: 'ENOSPC' }), 'writing the index', dir);
}
