/**
 * Where a directory shows what lies at a path. Both may have several paths: by symlinks, and by mounts, which may show of a directory no more
 * than a part of it. Which part, Linux lists; elsewhere device and inode tell as far as the directory itself is mounted, or one above it.
 */
import { realpathSync, statSync } from 'node:fs';
import { basename, dirname, join, relative } from 'node:path';
import { errnoOf } from '../../core/errors.ts';
import type { ByteString } from '../../core/model.ts';
import { type Mount, mounts, pathBelow, spotOf } from '../../core/mounts.ts';
import { toBytes } from '../../core/path-bytes.ts';

type Mounts = readonly Mount[];

/** Whether a path is that of a directory, or leads below it, by whatever name. */
export function isIn(dir: string, path: string, all: Mounts = mounts()): boolean {
  return pathsIn(dir, path, all).length > 0;
}

/** The paths, from a directory on, of what lies in it, or of its parts that are mounted there; several where it is there more than once. */
export function partsIn(dir: string, path: string, all: Mounts = mounts()): string[] {
  const whole = pathsIn(dir, path, all);
  if (isIn(path, dir, all)) return whole;
  const top = realPath(dir);
  const parts = pointsIn(top, all).filter((point) => isIn(path, join(top, point), all));
  return [...new Set([...whole, ...parts])];
}

function pathsIn(dir: string, path: string, all: Mounts): string[] {
  const [top, real] = [realPath(dir), realPath(path)];
  const found = ['', ...pointsIn(top, all)].flatMap((point) => {
    const below = fromDirectory(join(top, point), real, all);
    return below === undefined ? [] : [join(point, below).replace(/^\.$/, '')];
  });
  return [...new Set(found)];
}

function pointsIn(top: string, all: Mounts): string[] {
  const from = toBytes(top);
  return all.flatMap(({ point }) => pathOf(pathBelow(from, point) ?? '') || []);
}

/** The path from a directory on, when one of the directories that it leads through is that one, or lies in it. */
function fromDirectory(top: string, real: string, all: Mounts): string | undefined {
  const inode = inodeOf(top);
  const spot = spotOf(toBytes(top), all);
  for (let at = real; ; at = dirname(at)) {
    if (at === top || (inode !== undefined && inodeOf(at) === inode)) return relative(at, real);
    const its = spotOf(toBytes(at), all);
    const inside = spot !== undefined && its?.device === spot.device ? pathBelow(spot.path, its.path) : undefined;
    if (inside !== undefined) return join(pathOf(inside), relative(at, real));
    if (at === dirname(at)) return undefined;
  }
}

function inodeOf(path: string): string | undefined {
  try {
    const { dev, ino } = statSync(path, { bigint: true });
    return `${dev}:${ino}`;
  } catch {
    return undefined;
  }
}

export function pathOf(bytes: ByteString): string {
  return Buffer.from(bytes, 'latin1').toString();
}

/** The path without symlinks; of one that is not there, as far as its directories are. */
export function realPath(path: string): string {
  try {
    return realpathSync(path);
  } catch (error) {
    const parent = dirname(path);
    if (errnoOf(error) !== 'ENOENT' || parent === path) return path;
    return join(realPath(parent), basename(path));
  }
}
