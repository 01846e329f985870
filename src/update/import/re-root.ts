/**
 * A file whose mode differs and whose content does not. Mode and mtime are in its root node alone, so that node is made anew from the
 * parent's, with the same links. No data of the file is read, neither from the source nor from a peer.
 */
import { ShardctlError } from '../../core/errors.ts';
import { type CidProfile, DAG_PB, type Metadata } from '../../core/model.ts';
import { encodeEmptyFile, encodeFileNode, type FileChild } from '../../dag/file-node.ts';
import { decodeNode } from '../../dag/node-reader.ts';
import { BatchBuilder, type BlockBatch, ownBlocks } from '../../shard/batch.ts';
import { CHANGED, CID_COLUMN_BYTES, type Directory, METADATA, SAME } from '../../walk/directory.ts';
import { importAlone } from './again.ts';
import { type ImportContext, metadataOf } from './context.ts';

/** A directory may hold a million such files: their nodes are handed on in batches of this size. */
const BATCH_BYTES = 256 * 1024;

export async function* reRootFiles(context: ImportContext, directory: Directory): AsyncGenerator<BlockBatch, void, void> {
  let i = directory.states.indexOf(METADATA);
  if (i < 0) return;
  const blocks = new BatchBuilder();
  let made: number[] = [];
  let ends: number[] = [];
  const taken = () => {
    const finished = { directories: made.map(() => directory), indexes: made, ends };
    made = [];
    ends = [];
    return ownBlocks(blocks.take(), finished);
  };
  for (; i >= 0; i = directory.states.indexOf(METADATA, i + 1)) {
    context.signal.throwIfAborted();
    if (directory.isResumed(i)) continue;
    const metadata = metadataOf(context, directory, i);
    if (metadata === undefined) {
      // The tree has no place for what differs.
      directory.states[i] = SAME;
      directory.refreshed++;
      continue;
    }
    const root = await reRoot(context, directory, i, metadata);
    if (root === undefined) {
      directory.states[i] = CHANGED;
      yield* importAlone(context, directory, i);
    } else {
      directory.setRoot(i, DAG_PB, blocks.add(root.block), 0, root.dagSize);
      made.push(i);
      ends.push(blocks.length);
      if (blocks.length >= BATCH_BYTES) yield taken();
    }
  }
  if (blocks.length > 0) yield taken();
}

export interface FileRoot {
  readonly block: Buffer;
  /** Bytes of the block and of all below it. */
  readonly dagSize: number;
}

/** The parent's root node of a file, with other metadata; undefined when the parent's cannot be had. */
export async function reRoot(
  context: Pick<ImportContext, 'base' | 'readNode' | 'profile'>,
  directory: Directory,
  i: number,
  metadata: Metadata,
): Promise<FileRoot | undefined> {
  const { base } = directory;
  if (base === undefined || context.base === undefined) return undefined;
  const at = (base.indexes[i] as number) * CID_COLUMN_BYTES;
  const cold = context.base.cold(base.ordinal, base.count);
  if (cold.cids[at] !== DAG_PB) return undefined;
  const digest = Buffer.from(cold.cids.subarray(at + 1, at + CID_COLUMN_BYTES));
  try {
    return withMetadata(await context.readNode(digest), metadata, context.profile);
  } catch (error) {
    if (error instanceof ShardctlError) return undefined;
    throw error;
  }
}

/** @returns undefined for a node that our encoder would not have written: then a fresh add would not give what comes of it */
export function withMetadata(block: Uint8Array, metadata: Metadata, { cidVersion }: Pick<CidProfile, 'cidVersion'>): FileRoot | undefined {
  const { type, links, blockSizes, mode, mtimeNs } = decodeNode(block);
  if (type !== 'file' || links.length !== blockSizes.length) return undefined;
  const children = links.map(
    ({ codec, digest, dagSize }, n): FileChild => ({ codec, digest, dagSize, fileBytes: blockSizes[n] as number }),
  );
  const encode = (its: Metadata) => (children.length === 0 ? encodeEmptyFile(its) : encodeFileNode(children, its, cidVersion));
  const before = encode({ ...(mode === undefined ? {} : { mode }), ...(mtimeNs === undefined ? {} : { mtimeNs }) });
  if (!before.equals(block)) return undefined;
  const after = encode(metadata);
  return { block: after, dagSize: children.reduce((sum, child) => sum + child.dagSize, after.length) };
}
