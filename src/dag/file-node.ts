/**
 * Nodes of UnixFS files and symlinks. Our own encoder, because a node is made for every file of a mirror: @ipld/dag-pb with
 * ipfs-unixfs takes 5.6 µs a link. Property tests compare it with them. Nodes above the leaves of large files: `file-tree.ts`.
 */
import type { Codec, Metadata } from '../core/model.ts';
import { type CidVersion, cidLength, writeCid } from './cid.ts';
import { LINK_HASH, LINK_NAME, LINK_TSIZE, NODE_DATA, NODE_LINKS, NodeWriter } from './node-writer.ts';
import { BYTES, fieldLength, VARINT, varintLength, writeFieldHeader, writeVarint, writeVarintField } from './protobuf-writer.ts';
import {
  BLOCK_SIZES,
  DATA,
  FILE_SIZE,
  measureMetadata,
  TYPE,
  TYPE_BYTES,
  UNIXFS_FILE,
  UNIXFS_SYMLINK,
  writeMetadata,
} from './unixfs-writer.ts';

/** A leaf or an inner node of a file, as the node above it links it. */
export interface FileChild {
  readonly codec: Codec;
  /** sha2-256 of the block, 32 bytes. */
  readonly digest: Uint8Array;
  /** Bytes of the file that are below it. */
  readonly fileBytes: number;
  /** Bytes of its block and of all blocks below it. */
  readonly dagSize: number;
}

/** More than any link of a file's node takes: its tag, its length, a CIDv1, an empty name, and a number. */
const MOST_LINK_BYTES = 64;
/** More than the data of such a node take beside the sizes of its children, which take ten bytes each at most. */
const MOST_DATA_BYTES = 64;
const MOST_SIZE_BYTES = 10;

/** Where nodes are made before their length is known. */
let scratch = Buffer.allocUnsafe(0);

/**
 * Encodes a node that only links. Its dagSize is its length plus the dagSizes of its children. Each link is written as it comes: with the
 * lengths of all links beforehand, the books of nine shards of 9,000 blocks took 147 ms of processor time, most of them the compiler's,
 * and take 115 by this.
 */
export function encodeFileNode(children: readonly FileChild[], metadata: Metadata | undefined, version: CidVersion): Buffer {
  const most = MOST_DATA_BYTES + children.length * (MOST_LINK_BYTES + MOST_SIZE_BYTES);
  if (scratch.length < most) scratch = Buffer.allocUnsafe(most);
  const measured = measureMetadata(metadata);
  let at = 0;
  let fileBytes = 0;
  let sizes = 0;
  for (const child of children) {
    at = writeFileLink(scratch, at, child, version);
    fileBytes += child.fileBytes;
    sizes += 1 + varintLength(child.fileBytes);
  }
  at = writeFieldHeader(scratch, at, NODE_DATA, TYPE_BYTES + 1 + varintLength(fileBytes) + sizes + measured.length);
  at = writeVarintField(scratch, at, TYPE, UNIXFS_FILE);
  at = writeVarintField(scratch, at, FILE_SIZE, fileBytes);
  for (const child of children) at = writeVarintField(scratch, at, BLOCK_SIZES, child.fileBytes);
  return Buffer.from(scratch.subarray(0, writeMetadata(scratch, at, measured)));
}

/** Writes a link of a file's node, which has no name. @returns the offset after it */
export function writeFileLink(out: Uint8Array, start: number, { codec, digest, dagSize }: FileChild, version: CidVersion): number {
  let at = start;
  out[at++] = (NODE_LINKS << 3) | BYTES;
  // Its length is below 128, and takes one byte.
  const link = ++at;
  out[at++] = (LINK_HASH << 3) | BYTES;
  out[at++] = cidLength(codec, version);
  at = writeCid(out, at, codec, digest, 0, version);
  // Kubo writes the name also where it is empty.
  out[at++] = (LINK_NAME << 3) | BYTES;
  out[at++] = 0;
  out[at++] = (LINK_TSIZE << 3) | VARINT;
  at = writeVarint(out, at, dagSize);
  out[link - 1] = at - link;
  return at;
}

/** The UnixFS data of such a node by themselves, for @ipld/dag-pb. */
export function encodeFileData(sizes: readonly number[], metadata: Metadata | undefined): Buffer {
  const measured = measureMetadata(metadata);
  const fileBytes = sizes.reduce((sum, size) => sum + size, 0);
  const fields = sizes.reduce((sum, size) => sum + 1 + varintLength(size), TYPE_BYTES + 1 + varintLength(fileBytes));
  const data = Buffer.allocUnsafe(fields + measured.length);
  let at = writeVarintField(data, writeVarintField(data, 0, TYPE, UNIXFS_FILE), FILE_SIZE, fileBytes);
  for (const size of sizes) at = writeVarintField(data, at, BLOCK_SIZES, size);
  writeMetadata(data, at, measured);
  return data;
}

/** The bytes before and after the file's bytes in a dag-pb leaf: apart, so that a worker reads the file straight to its place between them. */
export interface LeafFrame {
  readonly prefix: Buffer;
  readonly suffix: Buffer;
}

/** @param length bytes of the file in this leaf @param metadata of a file that is this leaf alone */
export function encodeLeafFrame(length: number, metadata?: Metadata): LeafFrame {
  const measured = measureMetadata(metadata);
  // An empty file has no Data field at all, rather than an empty one.
  const dataHeader = length === 0 ? 0 : fieldLength(length) - length;
  const suffix = Buffer.allocUnsafe(1 + varintLength(length) + measured.length);
  const unixfsLength = TYPE_BYTES + dataHeader + length + suffix.length;
  const prefix = Buffer.allocUnsafe(fieldLength(unixfsLength) - unixfsLength + TYPE_BYTES + dataHeader);
  let at = writeFieldHeader(prefix, 0, NODE_DATA, unixfsLength);
  at = writeVarintField(prefix, at, TYPE, UNIXFS_FILE);
  if (length > 0) writeFieldHeader(prefix, at, DATA, length);
  writeMetadata(suffix, writeVarintField(suffix, 0, FILE_SIZE, length), measured);
  return { prefix, suffix };
}

/** An empty file that is a node, because it has metadata or because leaves are dag-pb. */
export function encodeEmptyFile(metadata: Metadata | undefined): Buffer {
  const { prefix, suffix } = encodeLeafFrame(0, metadata);
  return Buffer.concat([prefix, suffix]);
}

/** @param target the bytes that the symlink holds; they need not be UTF-8 */
export function encodeSymlink(target: Uint8Array, metadata: Metadata | undefined): Buffer {
  // Kubo writes no mode on symlinks: nothing ever reads it.
  const measured = measureMetadata(metadata?.mtimeNs === undefined ? undefined : { mtimeNs: metadata.mtimeNs });
  const length = TYPE_BYTES + fieldLength(target.length) + measured.length;
  const node = new NodeWriter(0, length, 1);
  let at = writeVarintField(node.block, node.data(length), TYPE, UNIXFS_SYMLINK);
  at = writeFieldHeader(node.block, at, DATA, target.length);
  node.block.set(target, at);
  writeMetadata(node.block, at + target.length, measured);
  return node.block;
}
