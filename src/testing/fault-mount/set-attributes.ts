/** The one request of the kernel behind truncate, chmod, chown and utimensat. */
import { chmodSync, ftruncateSync, lchownSync, lstatSync, truncateSync } from 'node:fs';
import type { Libc } from '../../core/libc.ts';
import { LINUX_ERRNO, type Operation } from './faults.ts';
import { SET } from './protocol.ts';
import { Refused } from './refused.ts';

/**
 * @param path undefined of a file that has no name any more
 * @param fd of one that is open
 * @param refuse throws where the test wants this to fail
 */
export function setAttributes(
  body: Buffer,
  path: string | Buffer | undefined,
  fd: number | undefined,
  refuse: (operation: Operation) => void,
  libc: Libc | undefined,
): void {
  const valid = body.readUInt32LE(0);
  if (valid & SET.size) {
    refuse('truncate');
    const size = Number(body.readBigUInt64LE(16));
    if (path !== undefined) truncateSync(path, size);
    else if (fd !== undefined) ftruncateSync(fd, size);
  }
  if (path === undefined) return;
  if (valid & SET.mode) {
    refuse('chmod');
    chmodSync(path, body.readUInt32LE(68) & 0o7777);
  }
  if (valid & (SET.uid | SET.gid)) {
    refuse('chown');
    const { uid, gid } = lstatSync(path);
    lchownSync(path, valid & SET.uid ? body.readUInt32LE(76) : uid, valid & SET.gid ? body.readUInt32LE(80) : gid);
  }
  if (valid & (SET.mtime | SET.mtimeNow)) {
    refuse('utimens');
    const given = body.readBigInt64LE(40) * 1_000_000_000n + BigInt(body.readUInt32LE(60));
    const mtime = valid & SET.mtimeNow ? BigInt(Date.now()) * 1_000_000n : given;
    const errno = libc === undefined ? LINUX_ERRNO.ENOSYS : libc.setMtime(Buffer.from(path), mtime);
    if (errno !== 0) throw new Refused(errno);
  }
}
