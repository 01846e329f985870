/** Files that may change once more without their times showing it. */

const SECOND = 1_000_000_000n;
const MILLISECOND = 1_000_000n;
/** ext4, xfs and btrfs stamp with the kernel's tick, 10 ms at the slowest. */
const TICK = 20n * MILLISECOND;
/** FAT has two seconds, HFS+ and old NFS servers one: their times are whole seconds. */
const COARSE = 2n * SECOND;

/**
 * Whether a file may be racy: if its ctime is not safely before the start of the scan, it could be written again after it was read, in the
 * same tick of its file system's clock, and look the same. A racy file counts as changed in the next run.
 * @param startedMs when the scan began, milliseconds since 1970
 */
export function isRacyAt(startedMs: number): (ctimeNs: bigint) => boolean {
  const started = BigInt(Math.floor(startedMs)) * MILLISECOND;
  const [coarse, tick] = [started - COARSE, started - TICK];
  // ctime, because every write sets it and nobody can set it back; an mtime may lie anywhere, also in the future.
  return (ctimeNs) => ctimeNs >= coarse && (ctimeNs >= tick || ctimeNs % SECOND === 0n);
}
