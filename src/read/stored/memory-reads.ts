/**
 * Reading what the system has of a file in memory, at once. To have a thread read it takes twice as long: with windows of 1 MiB that were
 * sent without being hashed, 256 MiB took 95 ms of processor time by themselves and 128 to 141 with a thread (four downloads at once).
 */
import { readSync, statfsSync } from 'node:fs';
import { type CachedReads, cachedReads } from '../../core/libc.ts';

/** On which everything is in memory, but it does not know `RWF_NOWAIT`. See statfs(2). */
const TMPFS = 0x01021994;

let calls: CachedReads | undefined;
let isLoaded = false;

/** How an open file is read; undefined where it cannot be told what is in memory. */
export type MemoryRead = (into: Uint8Array, at: number) => number;

/** @returns a function that gives how many bytes it has read, 0 when the first of them is not in memory */
export function memoryReadOf(fd: number): MemoryRead | undefined {
  if (!isLoaded) calls = cachedReads();
  isLoaded = true;
  if (calls === undefined) return undefined;
  const { readCached } = calls;
  if (readCached(fd, new Uint8Array(1), 0) >= 0) return (into, at) => Math.max(0, readCached(fd, into, at));
  if (!isOnTmpfs(fd)) return undefined;
  return (into, at) => {
    try {
      return readSync(fd, into, 0, into.length, at);
    } catch {
      return 0;
    }
  };
}

function isOnTmpfs(fd: number): boolean {
  try {
    return statfsSync(`/proc/self/fd/${fd}`).type === TMPFS;
  } catch {
    return false;
  }
}
