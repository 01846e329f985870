/** What a tree is to whoever compares two: kind, mode, time and content of everything in it. */
import { createHash } from 'node:crypto';
import { closeSync, lstatSync, openSync, readdirSync, readlinkSync, readSync } from 'node:fs';
import { join } from 'node:path';

/** By path below `root`, which is there as the empty path. A symlink has no mode of its own. */
export function listing(root: string): Map<string, string> {
  const names = ['', ...readdirSync(root, { recursive: true, encoding: 'utf8' })].sort();
  return new Map(names.map((name) => [name, looksLike(join(root, name))]));
}

function looksLike(path: string): string {
  const stat = lstatSync(path, { bigint: true });
  if (stat.isSymbolicLink()) return `symlink ${stat.mtimeNs} ${readlinkSync(path)}`;
  return `${Number(stat.mode).toString(8)} ${stat.mtimeNs} ${stat.isFile() ? hashOf(path) : 'directory'}`;
}

/** Large files are not read into memory. */
function hashOf(path: string): string {
  const hash = createHash('sha256');
  const piece = Buffer.allocUnsafe(1024 * 1024);
  const fd = openSync(path, 'r');
  try {
    for (let got = readSync(fd, piece); got > 0; got = readSync(fd, piece)) hash.update(piece.subarray(0, got));
  } finally {
    closeSync(fd);
  }
  return hash.digest('hex');
}
