/**
 * Pending entries on disk: what a run has imported before it commits. If the run dies, the next one need not read these files of the
 * source again. Each run appends to a file of its own; the next commit deletes all of them.
 *
 *   frame   u32 kind, u32 bytes of the payload, u32 crc32 of the payload, u32 crc32 of these 12 bytes; the payload, padded to 8
 *   header  JSON, the first frame: from which source and with which profile the rows were made; a run with another one ignores the file
 *   rows    groups, each the files of one directory: u32 files, u32 path bytes, the path, padded to 8; then a row a file:
 *           f64 size, f64 dagSize, i64 mtime, i64 ctime, u64 inode, u16 mode, u8 codec, u8 name bytes, digest, name, padded to 8
 *   shards  JSON, numbers and CIDs: the rows between the `shards` frame before and this one have all their blocks in these shards
 *
 * Rows count only when the shards that they need are placed and still on peers that answer: the index and the peers are the evidence, not
 * this file. So nothing has to be flushed in any order, a torn tail is no more than an earlier end, and after the loss of a file the next
 * run reads more of the source.
 *
 * There are two kinds of rows, each in walk order by itself: files that were read, and files whose root nodes were made anew. The
 * second kind is written later, when all files of the directory are imported.
 */
import { crc32 } from 'node:zlib';
import { DIGEST_BYTES } from '../../core/model.ts';

export const PENDING_VERSION = 1;
export const FRAME_BYTES = 16;
export const GROUP_BYTES = 8;
/** Bytes of a row before its name. */
export const ROW_BYTES = 44 + DIGEST_BYTES;

/** Kinds of frames. */
export const HEADER = 1;
export const READ_ROWS = 2;
export const RE_ROOTED_ROWS = 3;
export const SHARDS = 4;
export type RowsKind = typeof READ_ROWS | typeof RE_ROOTED_ROWS;

/** What the rows were made from, and how. With any of it different, they would have other CIDs or stand for other files. */
export interface PendingHeader {
  readonly version: number;
  readonly source: string;
  readonly profile: unknown;
  readonly metadata: boolean;
  /** The snapshot from whose root nodes new ones were made: the data of those files are in its shards. */
  readonly parent: string | null;
}

/** Number and CID, because after the loss of the index a number may be given to another shard. */
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
