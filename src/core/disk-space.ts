/** How much is free on a file system. Some report zeros or impossible numbers: FUSE mounts of object stores, some network shares. */
import { type StatsFs, statfsSync } from 'node:fs';

/** Where less than nothing is left, as on macOS, the negative count comes as an unsigned number, from 2^63 on. */
const NEGATIVE = 2 ** 63;

/** Bytes that are free to this user; undefined when the numbers cannot be believed. */
export function freeBytesOf({ blocks, bavail, bsize }: Pick<StatsFs, 'blocks' | 'bavail' | 'bsize'>): number | undefined {
  if (!(blocks > 0) || !(bsize > 0)) return undefined;
  if (bavail < 0 || (bavail >= NEGATIVE && blocks < NEGATIVE)) return 0;
  const bytes = bavail * bsize;
  return bavail <= blocks && Number.isSafeInteger(bytes) ? bytes : undefined;
}

/** Bytes that are free on the file system of `dir`; infinite where it cannot tell, because such a disk must not count as full. */
export function freeBytesIn(dir: string): number {
  try {
    return freeBytesOf(statfsSync(dir)) ?? Number.POSITIVE_INFINITY;
  } catch {
    return Number.POSITIVE_INFINITY;
  }
}
