/**
 * Reads a manifest's node above blocks as shardctl and Kubo write it: in one pass over its bytes, without an object for each link. Whoever
 * opens a shard reads as many links as it has blocks, mostly in a process that has just started, whose code is not compiled yet: there a
 * shard of 15,000 blocks is opened in half the processor time that it takes with the reader of all nodes (55 ms instead of 118).
 */
import { DIGEST_BYTES, RAW } from '../core/model.ts';
import { CID_V1_BYTES, SHA2_256 } from '../dag/cid.ts';
import { LINK_HASH, LINK_NAME, LINK_TSIZE, NODE_DATA, NODE_LINKS } from '../dag/node-writer.ts';
import { BYTES, VARINT } from '../dag/protobuf-writer.ts';
import { BLOCK_SIZES, FILE_SIZE, TYPE, UNIXFS_FILE } from '../dag/unixfs-writer.ts';

export interface PlainLeaves {
  /** Where the digest of each block stands in the node. */
  readonly digestsAt: readonly number[];
  /** Bytes of each block, at least one. */
  readonly lengths: readonly number[];
  /** Bytes of all of them. */
  readonly bytes: number;
}

/** Bytes of a link besides its size: tags and lengths, CID, no name. */
const LINK_BYTES = 2 + CID_V1_BYTES + 2 + 1;
const DIGEST_AT = 2 + 2 + CID_V1_BYTES - DIGEST_BYTES;
/** Seven bytes hold 2^49. */
const MOST_VARINT_BYTES = 7;

/** @returns undefined for any other node, also for one that is wrong: `decodeNode` says of those what they are */
export function plainLeaves(bytes: Uint8Array): PlainLeaves | undefined {
  const digestsAt: number[] = [];
  const lengths: number[] = [];
  let at = 0;
  let total = 0;
  while (bytes[at] === (NODE_LINKS << 3) + BYTES) {
    if (!isPlainLink(bytes, at)) return undefined;
    digestsAt.push(at + DIGEST_AT);
    const end = at + 2 + (bytes[at + 1] as number);
    const length = numberAt(bytes, at + 2 + LINK_BYTES, end);
    if (length <= 0) return undefined;
    lengths.push(length);
    total += length;
    at = end;
  }
  if (lengths.length === 0 || bytes[at] !== (NODE_DATA << 3) + BYTES) return undefined;
  const typeAt = endOfNumber(bytes, at + 1);
  if (numberAt(bytes, at + 1, typeAt) !== bytes.length - typeAt) return undefined;
  if (bytes[typeAt] !== (TYPE << 3) + VARINT || bytes[typeAt + 1] !== UNIXFS_FILE || bytes[typeAt + 2] !== (FILE_SIZE << 3) + VARINT)
    return undefined;
  at = endOfNumber(bytes, typeAt + 3);
  if (numberAt(bytes, typeAt + 3, at) !== total) return undefined;
  for (let i = 0; i < lengths.length; i++) {
    if (bytes[at] !== (BLOCK_SIZES << 3) + VARINT) return undefined;
    const end = endOfNumber(bytes, at + 1);
    if (numberAt(bytes, at + 1, end) !== lengths[i]) return undefined;
    at = end;
  }
  return at === bytes.length ? { digestsAt, lengths, bytes: total } : undefined;
}

/** Spelled out and not in loops, for code that is not compiled yet. */
function isPlainLink(bytes: Uint8Array, at: number): boolean {
  const name = at + DIGEST_AT + DIGEST_BYTES;
  return (
    bytes[at + 2] === (LINK_HASH << 3) + BYTES &&
    bytes[at + 3] === CID_V1_BYTES &&
    bytes[at + 4] === 1 &&
    bytes[at + 5] === RAW &&
    bytes[at + 6] === SHA2_256 &&
    bytes[at + 7] === DIGEST_BYTES &&
    bytes[name] === (LINK_NAME << 3) + BYTES &&
    bytes[name + 1] === 0 &&
    bytes[name + 2] === (LINK_TSIZE << 3) + VARINT
  );
}

/** The offset behind the number at `at`. */
function endOfNumber(bytes: Uint8Array, at: number): number {
  while ((bytes[at] as number) >= 0x80) at++;
  return at + 1;
}

/** The number that takes just these bytes; -1 where there is none. */
function numberAt(bytes: Uint8Array, from: number, end: number): number {
  if (end - from > MOST_VARINT_BYTES || end > bytes.length || endOfNumber(bytes, from) !== end) return -1;
  let value = 0;
  for (let at = end - 1; at >= from; at--) value = value * 0x80 + ((bytes[at] as number) & 0x7f);
  return value;
}
