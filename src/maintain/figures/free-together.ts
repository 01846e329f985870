/** What several peers can take together. */
import type { Disk, Metric } from '../../core/model.ts';

export interface FreeTogether {
  readonly bytes: number;
  /** Disks that several of the peers lie on: each counts once. */
  readonly sharedDisks: number;
}

/** @param metrics of all the peers, undefined for those that have not answered: they count as full */
export function freeTogether(metrics: Iterable<Pick<Metric, 'freeBytes' | 'disk'> | undefined>): FreeTogether {
  let bytes = 0;
  let sharedDisks = 0;
  const onDisks = new Map<string, { disk: Disk; freeBytes: number; peers: number }>();
  for (const metric of metrics) {
    if (metric?.disk === undefined) bytes += metric?.freeBytes ?? 0;
    else {
      const { disk, freeBytes } = metric;
      const before = onDisks.get(disk.id);
      onDisks.set(disk.id, { disk, freeBytes: freeBytes + (before?.freeBytes ?? 0), peers: 1 + (before?.peers ?? 0) });
    }
  }
  for (const { disk, freeBytes, peers } of onDisks.values()) {
    // Capacities may allow the peers less than the disk has.
    bytes += Math.min(disk.freeBytes, freeBytes);
    if (peers > 1) sharedDisks++;
  }
  return { bytes, sharedDisks };
}
