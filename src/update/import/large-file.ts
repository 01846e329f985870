/** A file of more than one chunk: workers read and hash its pieces, and the nodes above the leaves are made here, on the main thread. */
import { type CidProfile, DAG_PB, type Metadata, RAW, type Root } from '../../core/model.ts';
import { encodeEmptyFile, type FileChild } from '../../dag/file-node.ts';
import { buildFileTree } from '../../dag/file-tree.ts';
import { BatchBuilder, type BlockBatch, lastBlocks } from '../../shard/batch.ts';
import { SectionCursor } from '../../shard/car.ts';
import type { Directory } from '../../walk/directory.ts';
import { copyStat } from '../../walk/stat-columns.ts';
import { type ImportContext, metadataOf } from './context.ts';
import { CHUNK_OVERHEAD_BYTES, type ExpectedStats, type FileFailure, type PieceResult, type PieceTask, SLAB_BYTES } from './protocol.ts';

/** One attempt to import a large file: collects the leaves of its pieces in order. */
export class LargeFile {
  readonly directory: Directory;
  readonly index: number;
  readonly size: number;
  readonly #children: FileChild[] = [];
  /** The failure of the first piece that failed: the whole attempt has failed then. */
  failure: FileFailure | undefined;

  constructor(directory: Directory, index: number) {
    this.directory = directory;
    this.index = index;
    this.size = directory.sizeOf(index);
  }

  /** Cuts the file, by the length that stat says, into pieces of as many whole chunks as fit a slab. */
  *pieces(chunkBytes: number): Generator<Omit<PieceTask, 'slab'>> {
    for (const task of this.#ranges(chunkBytes, 'expected', false)) {
      if (task.from >= this.size) return;
      yield { ...task, to: Math.min(task.to, this.size) };
    }
  }

  /** The same for a file whose length is not believed: pieces without end, of which the caller takes those up to the file's end. */
  piecesToEnd(chunkBytes: number, accept: boolean): Generator<Omit<PieceTask, 'slab'>> {
    return this.#ranges(chunkBytes, 'any', accept);
  }

  *#ranges(chunkBytes: number, length: PieceTask['length'], accept: boolean): Generator<Omit<PieceTask, 'slab'>> {
    const step = Math.max(1, Math.floor(SLAB_BYTES / (chunkBytes + CHUNK_OVERHEAD_BYTES))) * chunkBytes;
    const { directory, index } = this;
    const origin = directory.originOf(index);
    const expected = expectedStatsOf(directory, index);
    for (let from = 0; ; from += step) yield { kind: 'piece', origin, from, to: from + step, expected, length, accept };
  }

  /** Adds the leaves of the next piece. @param batch its sections, in the order of the file */
  add(result: PieceResult, batch: Buffer): void {
    this.failure ??= result.failure;
    const cursor = new SectionCursor(batch);
    for (let i = 0; cursor.next(); i++) {
      const digest = Buffer.from(batch.subarray(cursor.digestAt, cursor.dataAt));
      this.#children.push({ codec: result.codec, digest, fileBytes: result.chunkBytes[i] as number, dagSize: cursor.end - cursor.dataAt });
    }
  }

  addLeaf(leaf: FileChild): void {
    this.#children.push(leaf);
  }

  /** Builds the nodes above the leaves and gives the entry its CID. */
  async finish(context: ImportContext): Promise<BlockBatch> {
    const blocks = new BatchBuilder();
    const metadata = metadataOf(context, this.directory, this.index);
    const root =
      this.#children.length === 0
        ? emptyFile(metadata, context.profile, blocks)
        : await buildFileTree(this.#children, metadata, context.profile, blocks.add);
    this.directory.setRoot(this.index, root.codec, root.digest, 0, root.dagSize);
    return lastBlocks(blocks.take(), this.directory, this.index);
  }
}

/** The block of a file that turned out to be empty, whatever stat says. */
function emptyFile(metadata: Metadata | undefined, profile: CidProfile, blocks: BatchBuilder): Root {
  const isRaw = profile.rawLeaves && metadata === undefined;
  const block = isRaw ? Buffer.alloc(0) : encodeEmptyFile(metadata);
  return { codec: isRaw ? RAW : DAG_PB, digest: blocks.add(block), dagSize: block.length };
}

/** What lstat said of one entry, as columns of their own. */
function expectedStatsOf(directory: Directory, index: number): ExpectedStats {
  const columns = newStatColumns(1);
  copyStat(directory, index, columns, 0);
  return columns;
}

/** Columns for the stat data of so many files of a task, and their modes. */
export function newStatColumns(count: number): ExpectedStats & { readonly modes: Uint16Array } {
  return {
    sizes: new Float64Array(count),
    mtimes: new BigInt64Array(count),
    ctimes: new BigInt64Array(count),
    inodes: new BigUint64Array(count),
    modes: new Uint16Array(count),
  };
}
