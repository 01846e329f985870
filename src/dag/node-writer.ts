/** Writes a dag-pb node: its links, then its data, into a buffer of exactly its size. */
import type { ByteString } from '../core/model.ts';
import { type CidVersion, cidLength, writeCid } from './cid.ts';
import { fieldLength, varintLength, writeFieldHeader, writeVarintField } from './protobuf-writer.ts';

/** Fields of a node. */
export const NODE_DATA = 1;
export const NODE_LINKS = 2;

/** Fields of a link. */
export const LINK_HASH = 1;
export const LINK_NAME = 2;
export const LINK_TSIZE = 3;

/** Bytes of a link in its node, tag and length included. Kubo writes the name also where it is empty, as in a file's links. */
export function linkBytes(codec: number, nameLength: number, dagSize: number, version: CidVersion): number {
  return fieldLength(linkLength(codec, nameLength, dagSize, version));
}

function linkLength(codec: number, nameLength: number, dagSize: number, version: CidVersion): number {
  return fieldLength(cidLength(codec, version)) + fieldLength(nameLength) + 1 + varintLength(dagSize);
}

export class NodeWriter {
  readonly block: Buffer;
  readonly #version: CidVersion;
  #at = 0;

  /** @param links sum of `linkBytes` of all links @param dataLength bytes of the data */
  constructor(links: number, dataLength: number, version: CidVersion) {
    this.block = Buffer.allocUnsafe(links + fieldLength(dataLength));
    this.#version = version;
  }

  /** Appends a link; the caller gives them in the order of their names. */
  link(codec: number, digests: Uint8Array, digestAt: number, name: ByteString, dagSize: number): void {
    const { block } = this;
    let at = writeFieldHeader(block, this.#at, NODE_LINKS, linkLength(codec, name.length, dagSize, this.#version));
    at = writeFieldHeader(block, at, LINK_HASH, cidLength(codec, this.#version));
    at = writeCid(block, at, codec, digests, digestAt, this.#version);
    at = writeFieldHeader(block, at, LINK_NAME, name.length);
    for (let i = 0; i < name.length; i++) block[at++] = name.charCodeAt(i);
    this.#at = writeVarintField(block, at, LINK_TSIZE, dagSize);
  }

  /** Writes the header of the data, after the last link; returns where in `block` the data go, up to its end. */
  data(length: number): number {
    return writeFieldHeader(this.block, this.#at, NODE_DATA, length);
  }
}
