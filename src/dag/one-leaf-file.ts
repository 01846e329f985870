/**
 * Reads the root of a file whose bytes are one raw leaf, in the form in which shardctl and Kubo write it: nearly all files of a mirror are
 * such. Whoever restores a tree reads one for each file, and this takes 1 µs where `decodeNode` takes 2.
 */
import { type Metadata, RAW } from '../core/model.ts';
import { type Link, plainLink } from './node-reader.ts';
import { NODE_DATA, NODE_LINKS } from './node-writer.ts';
import { BYTES, FIXED32, VARINT } from './protobuf-writer.ts';
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

export interface OneLeafFile extends Metadata {
  readonly leaf: Link;
  /** Bytes of the leaf. */
  readonly size: number;
}

/** Every length in such a root takes one byte. */
const MOST_LENGTH = 0x7f;
/** Varints of more bytes are left to `decodeNode`: a negative time, or a size that no leaf has. */
const MOST_VARINT_BYTES = 7;

/** Fields of a message, of which the reader knows which comes next. */
class KnownFields {
  readonly #bytes: Uint8Array;
  at: number;

  constructor(bytes: Uint8Array, at: number) {
    this.#bytes = bytes;
    this.at = at;
  }

  /** Steps over the tag of this field; false, without a step, when another one comes, or none. */
  has(field: number, type: number): boolean {
    if (this.#bytes[this.at] !== ((field << 3) | type)) return false;
    this.at++;
    return true;
  }

  /** −1 when the number is cut, or longer than those that are read here. */
  varint(): number {
    let value = 0;
    let scale = 1;
    for (let i = 0; i < MOST_VARINT_BYTES; i++) {
      const byte = this.#bytes[this.at++] ?? -1;
      if (byte < 0) return -1;
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) return value;
      scale *= 0x80;
    }
    return -1;
  }

  /** NaN past the end. */
  fixed32(): number {
    let value = 0;
    for (let scale = 1; scale < 2 ** 32; scale *= 0x100) value += (this.#bytes[this.at++] as number) * scale;
    return value;
  }
}

/** @returns undefined for every other node, also for one that is wrong: `decodeNode` says what that is */
export function oneLeafFile(bytes: Uint8Array): OneLeafFile | undefined {
  const fields = new KnownFields(bytes, 0);
  if (!fields.has(NODE_LINKS, BYTES)) return undefined;
  const linkBytes = fields.varint();
  if (linkBytes < 0 || linkBytes > MOST_LENGTH) return undefined;
  const leaf = plainLink(bytes, fields.at, fields.at + linkBytes);
  if (leaf?.codec !== RAW) return undefined;
  fields.at += linkBytes;
  if (!fields.has(NODE_DATA, BYTES)) return undefined;
  const dataBytes = fields.varint();
  if (dataBytes > MOST_LENGTH || fields.at + dataBytes !== bytes.length) return undefined;
  if (!fields.has(TYPE, VARINT) || fields.varint() !== UNIXFS_FILE || !fields.has(FILE_SIZE, VARINT)) return undefined;
  const size = fields.varint();
  if (size < 0 || !fields.has(BLOCK_SIZES, VARINT) || fields.varint() !== size) return undefined;
  const metadata = metadataIn(fields);
  return metadata === undefined || fields.at !== bytes.length ? undefined : { leaf, size, ...metadata };
}

function metadataIn(fields: KnownFields): Metadata | undefined {
  const mode = fields.has(MODE, VARINT) ? fields.varint() : undefined;
  if (mode === -1) return undefined;
  const known = mode === undefined ? {} : { mode: mode & PERMISSION_BITS };
  if (!fields.has(MTIME, BYTES)) return known;
  const end = fields.varint() + fields.at;
  if (!fields.has(SECONDS, VARINT)) return undefined;
  const seconds = fields.varint();
  const fraction = fields.has(FRACTION, FIXED32) ? fields.fixed32() : 0;
  if (seconds < 0 || !(fraction < Number(NS_PER_SECOND)) || fields.at !== end) return undefined;
  return { ...known, mtimeNs: BigInt(seconds) * NS_PER_SECOND + BigInt(fraction) };
}
