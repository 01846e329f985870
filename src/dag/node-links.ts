/**
 * The links of a dag-pb node as they stand there: CIDs of any version, codec and hash, for walks that hand on blocks under the very CIDs by
 * which they are linked. Where entries of a tree are read, `node-reader.ts` is used, which is stricter.
 */
import type { ByteString } from '../core/model.ts';
import { type AnyCid, splitCid } from './foreign-cid.ts';
import { LINK_HASH, LINK_NAME, LINK_TSIZE, NODE_DATA, NODE_LINKS } from './node-writer.ts';
import { damaged, PbReader } from './protobuf-reader.ts';
import { decodeUnixFs, type UnixFs } from './unixfs-reader.ts';

export interface NodeLink {
  readonly name: ByteString;
  /** Views into the block. */
  readonly cid: AnyCid;
  /** Bytes of the whole DAG below it, by the word of whoever made the node; 0 where that is not said. */
  readonly dagSize: number;
}

/** One link after the other: a walk holds no more of a node than its block. @param bytes a dag-pb block @throws ShardctlError `DAMAGE` when it is none */
export function* nodeLinks(bytes: Uint8Array): Generator<NodeLink> {
  const reader = new PbReader(bytes);
  while (reader.next()) {
    if (reader.field === NODE_LINKS) yield linkIn(reader.bytes());
    else reader.skip();
  }
}

/** The first link with this name, or whose name begins with it. Links on the way to it are not taken apart: a directory may have 40,000. */
export function linkNamed(bytes: Uint8Array, name: ByteString, isPrefix = false): NodeLink | undefined {
  const wanted = Buffer.from(name, 'latin1');
  const reader = new PbReader(bytes);
  while (reader.next()) {
    if (reader.field !== NODE_LINKS) {
      reader.skip();
      continue;
    }
    const link = reader.bytes();
    const found = nameIn(link);
    const part = isPrefix ? found.subarray(0, wanted.length) : found;
    if (part.length === wanted.length && wanted.equals(part)) return linkIn(link);
  }
  return undefined;
}

function nameIn(link: Uint8Array): Uint8Array {
  const reader = new PbReader(link);
  while (reader.next()) {
    if (reader.field === LINK_NAME) return reader.bytes();
    reader.skip();
  }
  return NAMELESS;
}

const NAMELESS = new Uint8Array(0);

/** What a dag-pb block says of itself in UnixFS; undefined when it says nothing. @throws ShardctlError `DAMAGE` when that is no UnixFS */
export function unixFsOf(bytes: Uint8Array): UnixFs | undefined {
  const reader = new PbReader(bytes);
  while (reader.next()) {
    if (reader.field === NODE_DATA) return decodeUnixFs(reader.bytes());
    reader.skip();
  }
  return undefined;
}

function linkIn(bytes: Uint8Array): NodeLink {
  const reader = new PbReader(bytes);
  let name = '';
  let dagSize = 0;
  let cid: AnyCid | undefined;
  while (reader.next()) {
    if (reader.field === LINK_HASH) {
      const hash = reader.bytes();
      cid = splitCid(hash);
      if (cid !== undefined && cid.bytes.length < hash.length) cid = undefined;
    } else if (reader.field === LINK_NAME) {
      name = Buffer.from(reader.bytes()).toString('latin1');
    } else if (reader.field === LINK_TSIZE) {
      dagSize = reader.number();
    } else {
      reader.skip();
    }
  }
  if (cid === undefined) throw damaged('a link without a CID');
  return { name, cid, dagSize };
}
