/**
 * What of OUT is mounted from elsewhere: nothing can be renamed from OUT into it, nor it be renamed or deleted. A bind mount has the device number
 * of what it shows, which may be OUT's own: so mount points are read where Linux lists them. A subvolume of btrfs is no mount, and has a number of
 * its own.
 */
import type { BigIntStats } from 'node:fs';
import type { ByteString } from '../../core/model.ts';
import { mounts, pathBelow } from '../../core/mounts.ts';
import { partsOf } from '../../core/path-bytes.ts';
import { lookAt } from './places.ts';

export class OutMounts {
  /** Paths in OUT. */
  readonly points: ReadonlySet<ByteString>;
  readonly #device: bigint | undefined;

  /** @param out the real path of the directory */
  constructor(out: ByteString, all = mounts()) {
    this.#device = lookAt(out)?.dev;
    this.points = new Set(all.flatMap(({ point }) => pathBelow(out, point) || []));
  }

  /** @param stat of what is there, which is not followed */
  isElsewhere(path: ByteString, stat: BigIntStats): boolean {
    if (this.#device !== undefined && stat.dev !== this.#device) return true;
    if (this.points.size === 0) return false;
    for (let at = path; at !== ''; at = partsOf(at).above) if (this.points.has(at)) return true;
    return false;
  }
}
