/**
 * Whether files in a directory can be mapped into memory, shared. LMDB maps its file, and ends the process with SIGSEGV where that is
 * refused: on FUSE mounts with `direct_io` (mergerfs, sshfs and rclone have such settings) and some cluster file systems.
 */
import { randomUUID } from 'node:crypto';
import { closeSync, openSync, statfsSync, writeSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { errnoName } from '../../core/errno.ts';
import { ShardctlError } from '../../core/errors.ts';
import { memoryCalls } from '../../core/libc.ts';
import { removeFileSync } from '../../core/remove-file.ts';

/** File systems that can, by statfs's type: ext, XFS, btrfs, tmpfs, ZFS, overlay, F2FS. On these no mapping is tried, which spares every command the loading of koffi. */
const CERTAIN = new Set([0xef53, 0x58465342, 0x9123683e, 0x01021994, 0x2fc12fc1, 0x794c7630, 0xf2f52010]);

/** @param dir of the tables, which exists unless they are new @throws ShardctlError `BAD_CONFIG` */
export function assertMappable(dir: string, readOnly: boolean): void {
  if (isCertain(dirname(dir))) return;
  const errno = readOnly ? mapping(join(dir, 'data.mdb'), 'r') : mappingNew(dirname(dir));
  if (errno === 0) return;
  throw new ShardctlError(
    'BAD_CONFIG',
    `the index cannot be kept in ${dirname(dir)}: files there cannot be mapped into memory (mmap: ${errnoName(errno)})`,
    { hint: 'give a home on a local disk with `--home DIR`, or mount this one without direct_io; peers may stay on such a mount' },
  );
}

function isCertain(dir: string): boolean {
  try {
    return CERTAIN.has(statfsSync(dir).type);
  } catch {
    return false;
  }
}

/** Tries it with a new file, because the tables' file may be in use, or not be there yet. */
function mappingNew(dir: string): number {
  const path = join(dir, `${randomUUID()}.probe`);
  try {
    return mapping(path, 'wx+');
  } finally {
    removeFileSync(path);
  }
}

/** @returns an errno; 0 when it worked, and also where koffi cannot be loaded */
function mapping(path: string, flags: 'r' | 'wx+'): number {
  const calls = memoryCalls();
  if (calls === undefined) return 0;
  const fd = openSync(path, flags);
  try {
    if (flags !== 'r') writeSync(fd, 'x');
    return calls.tryMapShared(fd, flags !== 'r');
  } finally {
    closeSync(fd);
  }
}
