/** The CID that a file or symlink on disk has in a tree: so it is found out, without a byte from elsewhere, whether it is what a tree names. */
import { type FileHandle, lstat, open, readlink } from 'node:fs/promises';
import { type BlockId, type ByteString, type CidProfile, DAG_PB, type Metadata, RAW } from '../../core/model.ts';
import { fsPath } from '../../core/path-bytes.ts';
import { sha256 } from '../../dag/cid.ts';
import { encodeEmptyFile, encodeLeafFrame, encodeSymlink, type FileChild } from '../../dag/file-node.ts';
import { buildFileTree } from '../../dag/file-tree.ts';
import { rabinChunker } from '../../dag/rabin-chunker.ts';
import { PERMISSION_BITS } from '../../dag/unixfs-writer.ts';
import { READ_FILE } from '../../source/reach.ts';

const PIECE_BYTES = 1024 * 1024;

export interface LocalRootOptions {
  readonly profile: CidProfile;
  /** Whether the tree has modes and times. */
  readonly metadata: boolean;
}

/** @returns undefined for what is neither a file nor a symlink, or cannot be read */
export async function localRoot(path: ByteString, options: LocalRootOptions): Promise<BlockId | undefined> {
  try {
    const stat = await lstat(fsPath(path), { bigint: true });
    if (stat.isSymbolicLink()) {
      const target = await readlink(fsPath(path), 'buffer');
      const block = encodeSymlink(target, options.metadata ? { mtimeNs: stat.mtimeNs } : undefined);
      return { codec: DAG_PB, digest: sha256(block) };
    }
    return stat.isFile() ? await fileRootAt(path, options) : undefined;
  } catch {
    return undefined;
  }
}

/** Whoever may write there can have put something else in its place since: a pipe, of which nothing ever comes, or a symlink. */
async function fileRootAt(path: ByteString, options: LocalRootOptions): Promise<BlockId | undefined> {
  const file = await open(fsPath(path), READ_FILE);
  try {
    const stat = await file.stat({ bigint: true });
    if (!stat.isFile()) return undefined;
    const metadata = options.metadata ? { mode: Number(stat.mode) & PERMISSION_BITS, mtimeNs: stat.mtimeNs } : undefined;
    return await fileRoot(file, Number(stat.size), metadata, options);
  } finally {
    await file.close();
  }
}

async function fileRoot(file: FileHandle, size: number, metadata: Metadata | undefined, { profile }: LocalRootOptions): Promise<BlockId> {
  const { chunker, rawLeaves } = profile;
  const chunks = chunker.kind === 'size' ? piecesOf(file, size, chunker.bytes) : rabinChunker(chunker)(piecesOf(file, size, PIECE_BYTES));
  const leaves: FileChild[] = [];
  for await (const chunk of chunks) leaves.push(leafOf(chunk, rawLeaves));
  if (leaves.length > 0) return await buildFileTree(leaves, metadata, profile, sha256);
  if (metadata !== undefined || !rawLeaves) return { codec: DAG_PB, digest: sha256(encodeEmptyFile(metadata)) };
  return leafOf(Buffer.alloc(0), rawLeaves);
}

function leafOf(chunk: Uint8Array, rawLeaves: boolean): FileChild {
  if (rawLeaves) return { codec: RAW, digest: sha256(chunk), fileBytes: chunk.length, dagSize: chunk.length };
  const { prefix, suffix } = encodeLeafFrame(chunk.length);
  const block = Buffer.concat([prefix, chunk, suffix]);
  return { codec: DAG_PB, digest: sha256(block), fileBytes: chunk.length, dagSize: block.length };
}

/** No more than the file had when it was looked at: it may grow for ever. */
async function* piecesOf(file: FileHandle, size: number, bytes: number): AsyncGenerator<Buffer, void, void> {
  for (let left = size; left > 0; ) {
    const piece = Buffer.allocUnsafe(Math.min(bytes, left));
    let filled = 0;
    while (filled < piece.length) {
      const { bytesRead } = await file.read(piece, filled, piece.length - filled);
      if (bytesRead === 0) break;
      filled += bytesRead;
    }
    if (filled > 0) yield piece.subarray(0, filled);
    if (filled < piece.length) return;
    left -= filled;
  }
}
