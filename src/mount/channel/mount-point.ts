/** The directory on which something is mounted: whether that can be done, and who uses it. */
import { readdirSync, readFileSync, readlinkSync, realpathSync, statSync } from 'node:fs';
import { displayText, shellWord } from '../../core/display.ts';
import { errnoOf, reasonOf, ShardctlError } from '../../core/errors.ts';
import { type Mount, mounts } from '../../core/mounts.ts';
import { toBytes } from '../../core/path-bytes.ts';

/** As /proc/self/mountinfo calls what this program mounts. */
export const FILE_SYSTEM_TYPE = 'fuse.shardctl';

/**
 * @param dir as it was given
 * @returns its path without symlinks
 * @throws ShardctlError `NOT_FOUND` when there is none, `USAGE` when it is no empty directory, or is mounted on already
 */
export function freeMountPoint(dir: string): string {
  let path: string;
  try {
    path = realpathSync(dir);
    if (!statSync(path).isDirectory()) throw refused(`${displayText(dir)} is not a directory`, 'name an empty directory');
    if (mountedOn(path)?.type === FILE_SYSTEM_TYPE)
      throw refused(
        `a mount of shardctl's is on ${displayText(dir)} already, or was left there by a program that was killed`,
        unmountHint(dir),
      );
    if (readdirSync(path).length > 0)
      throw refused(
        `${displayText(dir)} is not empty: what is in it could not be seen`,
        `name an empty directory: \`mkdir ${shellWord(`${dir}-mount`)}\``,
      );
  } catch (error) {
    throw wordsFor(error, dir);
  }
  return path;
}

/** By which command a mount is unmounted. */
export function unmountHint(dir: string): string {
  return `\`fusermount3 -u ${shellWord(dir)}\` unmounts it`;
}

function wordsFor(error: unknown, dir: string): unknown {
  switch (errnoOf(error)) {
    case undefined:
      return error;
    case 'ENOENT':
      return new ShardctlError('NOT_FOUND', `there is no ${displayText(dir)}`, { hint: `\`mkdir -p ${shellWord(dir)}\` makes it` });
    case 'ENOTCONN':
      return refused(`a mount whose program was killed is still on ${displayText(dir)}`, unmountHint(dir));
    default:
      return refused(`cannot mount on ${displayText(dir)}: ${reasonOf(error)}`, 'name an empty directory of yours');
  }
}

/** @param path without symlinks @returns what was mounted there last; undefined when nothing is, or there is no /proc */
export function mountedOn(path: string): Mount | undefined {
  const point = toBytes(path);
  return mounts().findLast((mount) => mount.point === point);
}

/** A process that has something open, or is somewhere, below a directory. */
export interface UsingProcess {
  readonly pid: number;
  readonly name: string;
}

/** @param path without symlinks @returns those that may be looked at; of other users only root sees them */
export function processesIn(path: string): UsingProcess[] {
  const found: UsingProcess[] = [];
  for (const pid of namesIn('/proc')) {
    if (!/^\d+$/.test(pid)) continue;
    const links = [`/proc/${pid}/cwd`, `/proc/${pid}/root`, ...namesIn(`/proc/${pid}/fd`).map((fd) => `/proc/${pid}/fd/${fd}`)];
    if (links.some((link) => isBelow(link, path))) found.push({ pid: Number(pid), name: nameOf(pid) });
  }
  return found;
}

function isBelow(link: string, path: string): boolean {
  try {
    const target = readlinkSync(link);
    return target === path || target.startsWith(`${path}/`);
  } catch {
    return false;
  }
}

function nameOf(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/comm`, 'utf8').trimEnd();
  } catch {
    return '?';
  }
}

function namesIn(dir: string): string[] {
  try {
    return readdirSync(dir);
  } catch {
    return [];
  }
}

function refused(message: string, hint: string): ShardctlError {
  return new ShardctlError('USAGE', message, { hint });
}
