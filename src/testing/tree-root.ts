/** The root of a tree on disk, computed with the encoders alone: no pipeline, one file at a time in memory. What tests compare with. */
import { closeSync, fstatSync, lstatSync, openSync, readdirSync, readlinkSync, readSync } from 'node:fs';
import { type ByteString, type CidProfile, DAG_PB, type Metadata, RAW, type Root } from '../core/model.ts';
import { fsPath } from '../core/path-bytes.ts';
import { sha256 } from '../dag/cid.ts';
import { buildDirectory } from '../dag/directory-node.ts';
import { encodeEmptyFile, encodeLeafFrame, encodeSymlink, type FileChild } from '../dag/file-node.ts';
import { buildFileTree } from '../dag/file-tree.ts';
import { rabinChunker } from '../dag/rabin-chunker.ts';
import { CID_COLUMN_BYTES } from '../walk/directory.ts';

type Emit = (block: Buffer) => Uint8Array;

export interface TreeOptions {
  readonly profile: CidProfile;
  readonly metadata: boolean;
  /** Takes every block, children before parents; the same block may come more than once. */
  readonly emit?: Emit;
}

/** @param path of a file, a directory or a symlink */
export async function treeRoot(path: ByteString, options: TreeOptions): Promise<Root> {
  const stat = lstatSync(fsPath(path), { bigint: true });
  const emit = options.emit ?? sha256;
  const mode = Number(stat.mode) & 0o7777;
  const metadata = options.metadata ? { mode, mtimeNs: stat.mtimeNs } : undefined;
  if (stat.isDirectory()) return directoryRoot(path, metadata, options, emit);
  if (stat.isFile()) return fileRoot(path, metadata, options.profile, emit);
  if (!stat.isSymbolicLink()) throw new Error(`neither file, directory nor symlink: ${path}`);
  return rootOf(encodeSymlink(readlinkSync(fsPath(path), 'buffer'), metadata), emit);
}

function rootOf(block: Buffer, emit: Emit): Root {
  return { codec: DAG_PB, digest: emit(block), dagSize: block.length };
}

async function directoryRoot(path: ByteString, metadata: Metadata | undefined, options: TreeOptions, emit: Emit): Promise<Root> {
  const names = readdirSync(fsPath(path), 'latin1').sort();
  const cids = Buffer.alloc(names.length * CID_COLUMN_BYTES);
  const dagSizes = new Float64Array(names.length);
  for (const [i, name] of names.entries()) {
    const { codec, digest, dagSize } = await treeRoot(`${path}/${name}`, options);
    cids[i * CID_COLUMN_BYTES] = codec;
    cids.set(digest, i * CID_COLUMN_BYTES + 1);
    dagSizes[i] = dagSize;
  }
  return buildDirectory({ count: names.length, names, cids, dagSizes }, metadata, options.profile, emit);
}

async function fileRoot(path: ByteString, metadata: Metadata | undefined, profile: CidProfile, emit: Emit): Promise<Root> {
  const leaves: FileChild[] = [];
  for await (const chunk of chunksOf(path, profile)) leaves.push(leafOf(chunk, profile, emit));
  if (leaves.length > 0) return buildFileTree(leaves, metadata, profile, emit);
  if (metadata !== undefined || !profile.rawLeaves) return rootOf(encodeEmptyFile(metadata), emit);
  return leafOf(Buffer.alloc(0), profile, emit);
}

function leafOf(chunk: Uint8Array, { rawLeaves }: CidProfile, emit: Emit): FileChild {
  const { prefix, suffix } = encodeLeafFrame(chunk.length);
  const block = rawLeaves ? Buffer.from(chunk) : Buffer.concat([prefix, chunk, suffix]);
  return { codec: rawLeaves ? RAW : DAG_PB, digest: emit(block), fileBytes: chunk.length, dagSize: block.length };
}

function chunksOf(path: ByteString, { chunker }: CidProfile): AsyncIterable<Uint8Array> {
  if (chunker.kind === 'size') return piecesOf(path, chunker.bytes);
  return rabinChunker(chunker)(piecesOf(path, 1024 * 1024));
}

async function* piecesOf(path: ByteString, bytes: number): AsyncGenerator<Buffer, void, void> {
  const fd = openSync(fsPath(path), 'r');
  try {
    const piece = Buffer.allocUnsafe(Math.min(bytes, fstatSync(fd).size));
    for (let got = readSync(fd, piece); got > 0; got = readSync(fd, piece)) yield Buffer.from(piece.subarray(0, got));
  } finally {
    closeSync(fd);
  }
}
