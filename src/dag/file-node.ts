/**
 * Nodes of UnixFS files and symlinks. Our own encoder, because a node is made for every file of a mirror: @ipld/dag-pb with
 * ipfs-unixfs takes 5.6 µs a link. Property tests compare it with them. Nodes above the leaves of large files: `file-tree.ts`.
 */
import type { Codec, Metadata } from '../core/model.ts';
import type { CidVersion } from './cid.ts';
import { linkBytes, NODE_DATA, NodeWriter } from './node-writer.ts';
import { fieldLength, varintLength, writeFieldHeader, writeVarintField } from './protobuf-writer.ts';
import {
  BLOCK_SIZES,
  DATA,
  type EncodedMetadata,
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

/** Encodes a node that only links. Its dagSize is its length plus the dagSizes of its children. */
export function encodeFileNode(children: readonly FileChild[], metadata: Metadata | undefined, version: CidVersion): Buffer {
  const data = measureFileData(children, metadata);
  let links = 0;
  for (const { codec, dagSize } of children) links += linkBytes(codec, 0, dagSize, version);
  const node = new NodeWriter(links, data.length, version);
  for (const { codec, digest, dagSize } of children) node.link(codec, digest, 0, '', dagSize);
  writeFileData(node.block, node.data(data.length), children, data);
  return node.block;
}

/** The UnixFS data of such a node by themselves. */
export function encodeFileData(children: readonly Pick<FileChild, 'fileBytes'>[], metadata: Metadata | undefined): Buffer {
  const data = measureFileData(children, metadata);
  const bytes = Buffer.allocUnsafe(data.length);
  writeFileData(bytes, 0, children, data);
  return bytes;
}

interface MeasuredFileData {
  readonly fileBytes: number;
  readonly metadata: EncodedMetadata;
  /** Bytes of the whole message. */
  readonly length: number;
}

function measureFileData(children: readonly Pick<FileChild, 'fileBytes'>[], metadata: Metadata | undefined): MeasuredFileData {
  const measured = measureMetadata(metadata);
  let fileBytes = 0;
  let blockSizes = 0;
  for (const child of children) {
    fileBytes += child.fileBytes;
    blockSizes += 1 + varintLength(child.fileBytes);
  }
  return { fileBytes, metadata: measured, length: TYPE_BYTES + 1 + varintLength(fileBytes) + blockSizes + measured.length };
}

function writeFileData(out: Buffer, at: number, children: readonly Pick<FileChild, 'fileBytes'>[], data: MeasuredFileData): void {
  at = writeVarintField(out, at, TYPE, UNIXFS_FILE);
  at = writeVarintField(out, at, FILE_SIZE, data.fileBytes);
  for (const { fileBytes } of children) at = writeVarintField(out, at, BLOCK_SIZES, fileBytes);
  writeMetadata(out, at, data.metadata);
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
