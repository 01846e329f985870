/**
 * Pending entries on disk: the files that a run has imported before it is committed, so that the next one, should this one die,
 * need not read them again. One file a run, appended to while it goes on, and all of them deleted by the next commit.
 *
 *   frame   u32 kind, u32 bytes of the payload, u32 crc32 of the payload, u32 crc32 of these 12 bytes; the payload, padded to 8
 *   header  JSON, the first frame: what the entries were made from; of another source or profile they are of no use
 *   rows    groups, each the files of one directory: u32 files, u32 path bytes, the path, padded to 8; then a row a file:
 *           f64 size, f64 dagSize, i64 mtime, i64 ctime, u64 inode, u16 mode, u8 codec, u8 name bytes, digest, name, padded to 8
 *   shards  JSON, numbers and CIDs: the rows between the `shards` frame before and this one have all their blocks in these shards
 *
 * Rows count when the shards that they need are placed and still there: the index and the peers are the evidence, not this file.
 * So nothing needs to be flushed in any order, a torn tail is only an earlier end, and a file that is lost costs reading.
 *
 * There are two kinds of rows, each in walk order by itself: files that were read, and root nodes that were made anew, which come
 * later, when the directory fills.
 */
import { crc32 } from 'node:zlib';
import { DIGEST_BYTES } from '../../core/model.ts';

export const PENDING_VERSION = 1;
export const FRAME_BYTES = 16;
export const GROUP_BYTES = 8;
/** Of a row, before its name. */
export const ROW_BYTES = 44 + DIGEST_BYTES;

/** Kinds of frames. */
export const HEADER = 1;
export const READ_ROWS = 2;
export const RE_ROOTED_ROWS = 3;
export const SHARDS = 4;
export type RowsKind = typeof READ_ROWS | typeof RE_ROOTED_ROWS;

/** What entries were made from, and how. Others have other CIDs, or mean other files. */
export interface PendingHeader {
  readonly version: number;
  readonly source: string;
  readonly profile: unknown;
  readonly metadata: boolean;
  /** The snapshot from which root nodes were made anew: their data are in its shards. */
  readonly parent: string | null;
}

/** Number and CID: a number alone may have been given to another shard if the index was lost. */
export type ShardName = readonly [number: number, cid: string];

/** The 16 bytes before a payload. */
export function encodeFrame(kind: number, payload: Uint8Array): Buffer {
  const frame = Buffer.alloc(FRAME_BYTES);
  frame.writeUInt32LE(kind, 0);
  frame.writeUInt32LE(payload.length, 4);
  frame.writeUInt32LE(crc32(payload), 8);
  frame.writeUInt32LE(crc32(frame.subarray(0, 12)), 12);
  return frame;
}

/** A frame of JSON, padded with spaces. */
export function jsonFrame(kind: number, value: unknown): Buffer {
  const text = JSON.stringify(value);
  const payload = Buffer.from(text + ' '.repeat(-Buffer.byteLength(text) & 7));
  return Buffer.concat([encodeFrame(kind, payload), payload]);
}
