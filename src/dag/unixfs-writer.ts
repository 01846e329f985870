/**
 * The UnixFS part of a node: the protobuf message in a dag-pb node's Data field. Kubo writes its fields in the order of
 * their numbers, so we do.
 *
 * Mode and mtime are written as Kubo does: once asked for, whatever their values. (ipfs-unixfs leaves out mode 0644, and writes a
 * fraction of 0 ns, which boxo reads as "no mtime".)
 */
import type { Metadata } from '../core/model.ts';
import { FIXED32, fieldLength, int64Length, varintLength, writeFieldHeader, writeInt64, writeVarintField } from './protobuf-writer.ts';

export const UNIXFS_DIRECTORY = 1;
export const UNIXFS_FILE = 2;
export const UNIXFS_SYMLINK = 4;
export const UNIXFS_HAMT = 5;

/** Fields of the UnixFS message. */
export const TYPE = 1;
export const DATA = 2;
export const FILE_SIZE = 3;
export const BLOCK_SIZES = 4;
export const HASH_TYPE = 5;
export const FANOUT = 6;
export const MODE = 7;
export const MTIME = 8;

/** Multihash code of murmur3-x64-64: the hash of HAMT directories. */
export const MURMUR3 = 0x22;

/** Fields of the UnixTime message. */
export const SECONDS = 1;
export const FRACTION = 2;

export const PERMISSION_BITS = 0o7777;
export const NS_PER_SECOND = 1_000_000_000n;

/** Tag and value of a fixed32. */
const FRACTION_BYTES = 5;
/** Tag and value of the type, which is always below 128. */
export const TYPE_BYTES = 2;

/** Metadata as they go on the wire, measured once. */
export interface EncodedMetadata {
  readonly mode: number | undefined;
  readonly mtime: { readonly seconds: number; readonly nanoseconds: number; readonly length: number } | undefined;
  /** Bytes of both fields. */
  readonly length: number;
}

const NONE: EncodedMetadata = { mode: undefined, mtime: undefined, length: 0 };

export function measureMetadata(metadata: Metadata | undefined): EncodedMetadata {
  if (metadata === undefined) return NONE;
  const mode = metadata.mode === undefined ? undefined : metadata.mode & PERMISSION_BITS;
  const mtime = metadata.mtimeNs === undefined ? undefined : splitTime(metadata.mtimeNs);
  const length = (mode === undefined ? 0 : 1 + varintLength(mode)) + (mtime === undefined ? 0 : fieldLength(mtime.length));
  return { mode, mtime, length };
}

/** The fraction counts forward from the second, also before 1970: −1 ns is second −1 and 999,999,999 ns. */
function splitTime(ns: bigint): { seconds: number; nanoseconds: number; length: number } {
  const rest = ns % NS_PER_SECOND;
  const fraction = rest < 0n ? rest + NS_PER_SECOND : rest;
  const seconds = Number((ns - fraction) / NS_PER_SECOND);
  const nanoseconds = Number(fraction);
  return { seconds, nanoseconds, length: 1 + int64Length(seconds) + (nanoseconds === 0 ? 0 : FRACTION_BYTES) };
}

/** The data of a directory without metadata. */
export function encodeDirectoryData(): Buffer {
  return Buffer.from([TYPE << 3, UNIXFS_DIRECTORY]);
}

export function writeMetadata(out: Buffer, at: number, { mode, mtime }: EncodedMetadata): number {
  if (mode !== undefined) at = writeVarintField(out, at, MODE, mode);
  if (mtime === undefined) return at;
  at = writeFieldHeader(out, at, MTIME, mtime.length);
  out[at++] = SECONDS << 3;
  at = writeInt64(out, at, mtime.seconds);
  if (mtime.nanoseconds === 0) return at;
  out[at++] = (FRACTION << 3) | FIXED32;
  return out.writeUInt32LE(mtime.nanoseconds, at);
}
