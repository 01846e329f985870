/**
 * Files whose chunks are cut by their content (rabin). Each cut depends on the one before, so a file cannot be split among workers:
 * it is cut and hashed on the main thread. That is slow, and few repositories ask for it.
 */
import { closeSync, fstatSync, read } from 'node:fs';
import { promisify } from 'node:util';
import { errnoOf, reasonOf } from '../../core/errors.ts';
import { type CidProfile, DAG_PB, RAW } from '../../core/model.ts';
import { encodeLeafFrame, type FileChild } from '../../dag/file-node.ts';
import { rabinChunker } from '../../dag/rabin-chunker.ts';
import { BatchBuilder, type BlockBatch, NONE_FINISHED, ownBlocks } from '../../shard/batch.ts';
import type { Directory } from '../../walk/directory.ts';
import { entryStat } from '../../walk/entry-stat.ts';
import type { ImportContext } from './context.ts';
import { LargeFile } from './large-file.ts';
import type { FileFailure } from './protocol.ts';

const READ_BYTES = 1024 * 1024;
const BATCH_BYTES = 4 * 1024 * 1024;

const readAt = promisify(read);

/** Imports one file. @returns why not, if it could not be read or changed meanwhile */
export async function* importByContent(
  context: ImportContext,
  directory: Directory,
  index: number,
  accept: boolean,
): AsyncGenerator<BlockBatch, FileFailure | undefined, void> {
  const file = new LargeFile(directory, index);
  const blocks = new BatchBuilder();
  let fd: number | undefined;
  try {
    fd = context.reach.openFile(directory.originOf(index), accept || context.ignoreInode ? undefined : directory.inodes[index]);
    if (!fstatSync(fd).isFile()) return { index, errno: undefined, detail: 'it was replaced by something that is not a file' };
    for await (const chunk of chunksOf(fd, context.profile)) {
      file.addLeaf(addLeaf(blocks, chunk, context.profile));
      if (blocks.length >= BATCH_BYTES) yield ownBlocks(blocks.take(), NONE_FINISHED);
    }
    const stat = entryStat(fstatSync(fd, { bigint: true }));
    const isSame = context.ignoreInode || stat.inode === directory.inodes[index];
    const isUnchanged = isSame && BigInt.asIntN(64, stat.ctimeNs) === directory.ctimes[index];
    if (!isUnchanged && !accept) return { index, errno: undefined, detail: 'it changed while it was read' };
  } catch (error) {
    const errno = errnoOf(error);
    if (errno === undefined) throw error;
    return { index, errno, detail: reasonOf(error) };
  } finally {
    if (fd !== undefined) closeSync(fd);
  }
  yield ownBlocks(blocks.take(), NONE_FINISHED);
  yield await file.finish(context);
  return undefined;
}

function chunksOf(fd: number, { chunker }: CidProfile): AsyncIterable<Uint8Array> {
  if (chunker.kind !== 'rabin') throw new Error(`not cut by content: ${chunker.kind}`);
  return rabinChunker(chunker)(bytesOf(fd));
}

async function* bytesOf(fd: number): AsyncGenerator<Uint8Array, void, void> {
  for (let position = 0; ; ) {
    const { bytesRead, buffer } = await readAt(fd, Buffer.allocUnsafe(READ_BYTES), 0, READ_BYTES, position);
    if (bytesRead === 0) return;
    position += bytesRead;
    yield buffer.subarray(0, bytesRead);
  }
}

function addLeaf(blocks: BatchBuilder, chunk: Uint8Array, profile: CidProfile): FileChild {
  const data = Buffer.from(chunk);
  if (profile.rawLeaves) return { codec: RAW, digest: blocks.add(data), fileBytes: data.length, dagSize: data.length };
  const { prefix, suffix } = encodeLeafFrame(data.length);
  const block = Buffer.concat([prefix, data, suffix]);
  return { codec: DAG_PB, digest: blocks.add(block), fileBytes: data.length, dagSize: block.length };
}
