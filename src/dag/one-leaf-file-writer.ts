/**
 * Writes the root of a file of one leaf, with mode and mtime, to where the caller wants it: import makes one for each small file of a
 * mirror. `encodeFileNode` gives the same bytes; but its first 20,000 calls take 72 ms of processor time, most of them the compiler's, and
 * those of this take 30, and each import worker compiles for itself.
 */
import type { CidVersion } from './cid.ts';
import { type FileChild, writeFileLink } from './file-node.ts';
import { NODE_DATA } from './node-writer.ts';
import { BYTES, FIXED32, VARINT, writeInt64, writeVarint } from './protobuf-writer.ts';
import {
  BLOCK_SIZES,
  FILE_SIZE,
  FRACTION,
  MODE,
  MTIME,
  NS_PER_SECOND,
  PERMISSION_BITS,
  SECONDS,
  TYPE,
  UNIXFS_FILE,
} from './unixfs-writer.ts';

/** More than any such root has: every length in it is below 128, and takes one byte. */
export const MOST_ONE_LEAF_FILE_BYTES = 256;

/** @returns the offset after it */
export function writeOneLeafFile(
  out: Uint8Array,
  start: number,
  leaf: FileChild,
  mode: number,
  mtimeNs: bigint,
  version: CidVersion,
): number {
  let at = writeFileLink(out, start, leaf, version);
  out[at++] = (NODE_DATA << 3) | BYTES;
  const data = ++at;
  out[at++] = (TYPE << 3) | VARINT;
  out[at++] = UNIXFS_FILE;
  out[at++] = (FILE_SIZE << 3) | VARINT;
  at = writeVarint(out, at, leaf.fileBytes);
  out[at++] = (BLOCK_SIZES << 3) | VARINT;
  at = writeVarint(out, at, leaf.fileBytes);
  out[at++] = (MODE << 3) | VARINT;
  at = writeVarint(out, at, mode & PERMISSION_BITS);
  at = writeMtime(out, at, mtimeNs);
  out[data - 1] = at - data;
  return at;
}

/** The fraction counts forward from the second, also before 1970. */
function writeMtime(out: Uint8Array, start: number, ns: bigint): number {
  const rest = ns % NS_PER_SECOND;
  const fraction = rest < 0n ? rest + NS_PER_SECOND : rest;
  let at = start;
  out[at++] = (MTIME << 3) | BYTES;
  const time = ++at;
  out[at++] = (SECONDS << 3) | VARINT;
  at = writeInt64(out, at, Number((ns - fraction) / NS_PER_SECOND));
  // Kubo takes a fraction of 0 for no mtime.
  if (fraction !== 0n) {
    out[at++] = (FRACTION << 3) | FIXED32;
    let nanoseconds = Number(fraction);
    for (let i = 0; i < 4; i++, nanoseconds >>>= 8) out[at++] = nanoseconds;
  }
  out[time - 1] = at - time;
  return at;
}
