/** Stat data of one entry of the source, as the stages pass them on. */
import type { BigIntStats } from 'node:fs';

/** What lstat says of one entry, in full precision. */
export interface EntryStat {
  readonly mode: number;
  readonly size: number;
  readonly mtimeNs: bigint;
  readonly ctimeNs: bigint;
  readonly inode: bigint;
}

/** What Node's lstat or fstat says, with an inode number that is not negative: Node's bigints are, from 2^63 on (go-fuse, mergerfs). */
export function entryStat(stat: BigIntStats): EntryStat {
  const { mode, size, mtimeNs, ctimeNs, ino } = stat;
  return { mode: Number(mode), size: Number(size), mtimeNs, ctimeNs, inode: BigInt.asUintN(64, ino) };
}
