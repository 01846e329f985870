/**
 * What of OUT is mounted from elsewhere: nothing can be renamed from OUT into it, nor it be renamed or deleted. A bind mount has the device number
 * of what it shows, which may be OUT's own: so mount points are read where Linux lists them. A subvolume of btrfs is no mount, and has a number of
 * its own.
 */
import { type BigIntStats, readFileSync } from 'node:fs';
import type { ByteString } from '../../core/model.ts';
import { partsOf } from '../../core/path-bytes.ts';
import { lookAt } from './places.ts';

const LIST = '/proc/self/mountinfo';

export class OutMounts {
  /** Paths in OUT. */
  readonly points: ReadonlySet<ByteString>;
  readonly #device: bigint | undefined;

  /** @param out the real path of the directory @param list as of proc_pid_mountinfo(5), in bytes */
  constructor(out: ByteString, list = listed()) {
    this.#device = lookAt(out)?.dev;
    this.points = pointsBelow(out, list);
  }

  /** @param stat of what is there, which is not followed */
  isElsewhere(path: ByteString, stat: BigIntStats): boolean {
    if (this.#device !== undefined && stat.dev !== this.#device) return true;
    if (this.points.size === 0) return false;
    for (let at = path; at !== ''; at = partsOf(at).above) if (this.points.has(at)) return true;
    return false;
  }
}

function listed(): string {
  try {
    return readFileSync(LIST, 'latin1');
  } catch {
    return '';
  }
}

/** The fifth field of each line, in which white space and backslashes are written as octal numbers. */
function pointsBelow(out: ByteString, list: string): Set<ByteString> {
  const top = out === '/' ? '/' : `${out}/`;
  const points = new Set<ByteString>();
  for (const line of list.split('\n')) {
    const point = line.split(' ')[4]?.replaceAll(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));
    if (point?.startsWith(top) === true && point.length > top.length) points.add(point.slice(top.length));
  }
  return points;
}
