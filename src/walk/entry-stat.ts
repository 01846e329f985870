/** Stat data of one entry of the source, as the stages pass them on. */
import type { BigIntStats } from 'node:fs';

/** Stat data of one entry, in full precision. */
export interface EntryStat {
  readonly mode: number;
  readonly size: number;
  readonly mtimeNs: bigint;
  readonly ctimeNs: bigint;
  readonly inode: bigint;
}

/** From Node's lstat or fstat, whose inode numbers are negative from 2^63 on (go-fuse and mergerfs have such). */
export function entryStat(stat: BigIntStats): EntryStat {
  const { mode, size, mtimeNs, ctimeNs, ino } = stat;
  return { mode: Number(mode), size: Number(size), mtimeNs, ctimeNs, inode: BigInt.asUintN(64, ino) };
}
