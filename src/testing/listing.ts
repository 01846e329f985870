/** What a tree is to whoever compares two: kind, mode, time and content of everything in it. */
import { createHash } from 'node:crypto';
import { closeSync, lstatSync, openSync, readdirSync, readlinkSync, readSync } from 'node:fs';
import { join } from 'node:path';
import type { ByteString } from '../core/model.ts';
import { toBytes } from '../core/path-bytes.ts';

/** By path below `root`, one char a byte; `root` is there as the empty path. A symlink has no mode of its own. */
export function listing(root: string): Map<ByteString, string> {
  const names = ['', ...namesBelow(Buffer.from(root), '')].sort();
  return new Map(names.map((name) => [name, looksLike(Buffer.from(join(toBytes(root), name), 'latin1'))]));
}

/** Node's own recursive listing reads names as UTF-8. */
function namesBelow(dir: Buffer, path: ByteString): ByteString[] {
  return readdirSync(dir, { withFileTypes: true, encoding: 'buffer' }).flatMap((entry) => {
    const name = entry.name.toString('latin1');
    const below = path === '' ? name : `${path}/${name}`;
    return entry.isDirectory() ? [below, ...namesBelow(Buffer.concat([dir, Buffer.from('/'), entry.name]), below)] : [below];
  });
}

function looksLike(path: Buffer): string {
  const stat = lstatSync(path, { bigint: true });
  if (stat.isSymbolicLink()) return `symlink ${stat.mtimeNs} ${readlinkSync(path, 'latin1')}`;
  return `${Number(stat.mode).toString(8)} ${stat.mtimeNs} ${stat.isFile() ? hashOf(path) : 'directory'}`;
}

/** Large files are not read into memory. */
function hashOf(path: Buffer): string {
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
