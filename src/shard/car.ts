/**
 * The CARv1 of a shard: sections of `varint(length) CID data`, back to back after a header; a batch is a Buffer of such sections.
 * Our own code writes and walks them in place: a million small files make a million sections, and an object for each, as
 * @ipld/car makes it, would cost more than hashing the block. A test has @ipld/car read what is written here, and the other way
 * round. CARs of strangers are read elsewhere (`exchange/tree-car/`).
 *
 * Only what a shard may hold is let through: CIDv1 with sha2-256 and codec raw or dag-pb, so a section's CID always has 36 bytes.
 */

import { ShardctlError } from '../core/errors.ts';
import { type BlockId, type Codec, DAG_PB, DIGEST_BYTES, RAW } from '../core/model.ts';
import { CID_V1_BYTES, writeCid } from '../dag/cid.ts';

/** The most bytes that a block may have: Kubo and bitswap refuse larger ones. */
export const MAX_BLOCK_BYTES = 2 * 1024 * 1024;

// dag-cbor of {roots: [CIDv1], version: 1}, preceded by its length. The CID is tag 42 over a byte string that begins with 00.
const HEADER_HEAD = Buffer.from([0x3a, 0xa2, 0x65, ...Buffer.from('roots'), 0x81, 0xd8, 0x2a, 0x58, 1 + CID_V1_BYTES, 0x00]);
const HEADER_TAIL = Buffer.from([0x67, ...Buffer.from('version'), 0x01]);

/** Bytes of the header of a CAR with one root: always the same, so that the root can be patched in when the shard is sealed. */
export const CAR_HEADER_BYTES = HEADER_HEAD.length + CID_V1_BYTES + HEADER_TAIL.length;

/** The header of a CARv1 whose only root is `root`. */
export function carHeader(root: BlockId): Buffer {
  const header = Buffer.allocUnsafe(CAR_HEADER_BYTES);
  HEADER_HEAD.copy(header);
  const at = writeCid(header, HEADER_HEAD.length, root.codec, root.digest, 0, 1);
  HEADER_TAIL.copy(header, at);
  return header;
}

/** The root that the header at the start of `bytes` names. Throws `DAMAGE` on any other header than ours. */
export function readCarHeader(bytes: Uint8Array): BlockId {
  const header = Buffer.from(bytes.buffer, bytes.byteOffset, Math.min(bytes.length, CAR_HEADER_BYTES));
  const cidAt = HEADER_HEAD.length;
  const tailAt = cidAt + CID_V1_BYTES;
  if (!HEADER_HEAD.equals(header.subarray(0, cidAt)) || !HEADER_TAIL.equals(header.subarray(tailAt))) {
    throw new ShardctlError('DAMAGE', 'not a CARv1 with one sha2-256 root');
  }
  const codec = codecAt(header, cidAt);
  return { codec, digest: header.subarray(tailAt - DIGEST_BYTES, tailAt) };
}

/** Bytes that a section takes before its data: the varint and the CID. */
export function sectionHeaderBytes(dataLength: number): number {
  return varintBytes(CID_V1_BYTES + dataLength) + CID_V1_BYTES;
}

/**
 * Writes the varint and CID of a section at `at`; the digest is taken from `digest` at `digestAt`.
 * @returns the offset after them, where the data goes
 */
export function writeSectionHeader(
  out: Buffer,
  at: number,
  codec: Codec,
  digest: Uint8Array,
  digestAt: number,
  dataLength: number,
): number {
  let rest = CID_V1_BYTES + dataLength;
  while (rest >= 0x80) {
    out[at++] = (rest & 0x7f) | 0x80;
    rest >>>= 7;
  }
  out[at++] = rest;
  return writeCid(out, at, codec, digest, digestAt, 1);
}

function varintBytes(value: number): number {
  let bytes = 1;
  for (let rest = value; rest >= 0x80; rest >>>= 7) bytes++;
  return bytes;
}

function codecAt(bytes: Uint8Array, cidAt: number): Codec {
  const codec = bytes[cidAt + 1];
  if (bytes[cidAt] !== 1 || (codec !== RAW && codec !== DAG_PB) || bytes[cidAt + 2] !== 0x12 || bytes[cidAt + 3] !== DIGEST_BYTES) {
    throw new ShardctlError('DAMAGE', 'a CAR section whose CID is not CIDv1 with sha2-256 and codec raw or dag-pb');
  }
  return codec;
}

/**
 * Walks the sections of a batch in place: after `next()` the fields say where the current section is. One object for the
 * whole walk. Throws `DAMAGE` on bytes that cannot be a section of a shard.
 */
export class SectionCursor {
  readonly #bytes: Uint8Array;
  readonly #limit: number;
  /** Offset of the section's first byte, its varint. */
  start: number;
  digestAt = 0;
  dataAt = 0;
  /** Offset after the section's data; the next section begins here. */
  end: number;
  codec: Codec = RAW;
  /** Set when a walk ended at bytes that are only the beginning of a section. */
  torn = false;

  /** @param at where the first section begins @param limit where the bytes end that may be looked at */
  constructor(bytes: Uint8Array, at = 0, limit: number = bytes.length) {
    this.#bytes = bytes;
    this.#limit = limit;
    this.start = at;
    this.end = at;
  }

  /** Moves to the next whole section. False at the end, and (`torn` is set) when the rest is not a whole section. */
  next(): boolean {
    const bytes = this.#bytes;
    const start = this.end;
    let at = start;
    let length = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = at < this.#limit ? bytes[at] : undefined;
      if (byte === undefined) return this.#stop(at > start);
      at++;
      length |= (byte & 0x7f) << shift;
      if (byte < 0x80) break;
      if (shift === 21) throw new ShardctlError('DAMAGE', `a CAR section at offset ${start} claims to be too long`);
    }
    const dataBytes = length - CID_V1_BYTES;
    if (dataBytes < 0 || dataBytes > MAX_BLOCK_BYTES) {
      throw new ShardctlError('DAMAGE', `a CAR section at offset ${start} claims ${length} bytes`);
    }
    if (at + CID_V1_BYTES > this.#limit) return this.#stop(true);
    this.codec = codecAt(bytes, at);
    if (at + length > this.#limit) return this.#stop(true);
    this.start = start;
    this.digestAt = at + CID_V1_BYTES - DIGEST_BYTES;
    this.dataAt = at + CID_V1_BYTES;
    this.end = at + length;
    return true;
  }

  #stop(torn: boolean): false {
    this.torn = torn;
    return false;
  }
}
