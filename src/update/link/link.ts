/**
 * link — makes the nodes of directories.
 * In: the steps of the import. Out: its batches of blocks, and the nodes of each directory when the walk leaves it; at the end, the tree.
 * Holds: the CIDs of the directories between the root and the current one.
 *
 * A directory in which nothing differs keeps the CID that it has in the parent: nothing is encoded, nothing is hashed.
 */
import type { BlockId, CidProfile, Metadata, Root } from '../../core/model.ts';
import type { DirectoryLinks } from '../../dag/directory-links.ts';
import { buildDirectory } from '../../dag/directory-node.ts';
import type { HamtBefore } from '../../dag/hamt-writer.ts';
import type { EntriesReader } from '../../index/entries/reader.ts';
import type { ParentEntries } from '../../index/entries/some-entries.ts';
import type { EntriesWriter } from '../../index/entries/writer.ts';
import { BatchBuilder, type BlockBatch } from '../../shard/batch.ts';
import { CHANGED, CID_COLUMN_BYTES, type Directory, SAME } from '../../walk/directory.ts';
import type { FilledStep, WalkStep } from '../../walk/walk-step.ts';
import { hamtBefore, mayBeHamt } from './hamt-before.ts';

export interface LinkOptions {
  readonly profile: CidProfile;
  /** Mode and mtime of each directory go into its node. */
  readonly metadata: boolean;
  readonly root: Required<Metadata>;
  /** There is no parent, or its root had other metadata. */
  readonly rootDiffers: boolean;
  /** A reader of the parent's entries that no other stage uses: it is moved here. */
  readonly base: ParentEntries | undefined;
  /** The root of the parent's tree. */
  readonly treeBefore: BlockId | undefined;
  /** A block of the parent's tree, by its digest. Throws ShardctlError when no peer gives it. */
  readonly readNode: (digest: Uint8Array) => Promise<Uint8Array>;
  /** Told of each directory when all its entries, and what is below it, are as they will be in the tree. */
  readonly onLeave?: (directory: Directory) => void;
  /** Where this snapshot's entries go. `copy` where the walk recalls all of the parent's entries: no other one knows a subtree that is the same. */
  readonly entries: Pick<EntriesWriter, 'enter' | 'leave'> & Partial<Pick<EntriesWriter, 'copy'>>;
}

/** The finished tree, and its root's block, which the snapshot's catalogue carries, too. */
export interface Tree {
  readonly root: Root;
  readonly block: Buffer;
}

type Step = WalkStep | FilledStep | BlockBatch;

/** Directory nodes are small: they are gathered into batches of this size. */
const BATCH_BYTES = 256 * 1024;

/** @returns the tree, or undefined when it is the same as the parent's */
export async function* link(steps: AsyncIterable<Step>, options: LinkOptions): AsyncGenerator<BlockBatch, Tree | undefined, void> {
  const blocks = new BatchBuilder();
  let tree: Tree | undefined;
  for await (const step of steps) {
    if (step.kind === 'blocks') {
      // The blocks of files that come next belong to a directory that is still open: nodes that are ready go out before them.
      if (blocks.length > 0) yield blocks.takeBatch();
      yield step;
    } else if (step.kind === 'same') {
      if (options.entries.copy === undefined) throw new Error('a subtree is to be copied where directories are patched');
      options.entries.copy(options.base as EntriesReader, step.subtree.ordinal, step.subtree.length);
    } else if (step.kind === 'filled') {
      options.entries.enter(step.directory);
    } else if (step.kind === 'leave') {
      const { directory } = step;
      const before = mayBeHamt(directory, options.profile) ? await hamtBefore(directory, options) : undefined;
      tree = close(directory, options, blocks, before);
      options.onLeave?.(directory);
      options.entries.leave(directory);
      if (blocks.length >= BATCH_BYTES) yield blocks.takeBatch();
    }
  }
  if (blocks.length > 0) yield blocks.takeBatch();
  return tree;
}

/** Encodes the directory if it differs, and gives its CID to the directory above. @returns the tree, if this was its root and differs */
function close(directory: Directory, options: LinkOptions, blocks: BatchBuilder, before: HamtBefore | undefined): Tree | undefined {
  const { parent, indexInParent } = directory;
  if (parent === undefined) {
    return directory.differs || options.rootDiffers ? encode(directory, options.root, options, blocks, before) : undefined;
  }
  if (!directory.differs && parent.states[indexInParent] === SAME) return undefined;
  const metadata = { mode: parent.modeOf(indexInParent), mtimeNs: parent.mtimeNs(indexInParent) };
  const { codec, digest, dagSize } = encode(directory, metadata, options, blocks, before).root;
  parent.setRoot(indexInParent, codec, digest, 0, dagSize);
  if (parent.states[indexInParent] === SAME) parent.states[indexInParent] = CHANGED;
  return undefined;
}

function encode(
  directory: Directory,
  metadata: Metadata,
  options: LinkOptions,
  blocks: BatchBuilder,
  before: HamtBefore | undefined,
): Tree {
  let block: Buffer = Buffer.alloc(0);
  const emit = (node: Buffer) => {
    // The root of a directory is emitted last.
    block = node;
    return blocks.add(node);
  };
  const root = buildDirectory(linksOf(directory), options.metadata ? metadata : undefined, options.profile, emit, before);
  return { root, block };
}

function linksOf(directory: Directory): DirectoryLinks {
  const live = directory.live();
  const count = live.length;
  const cids = directory.cids ?? Buffer.alloc(0);
  const dagSizes = directory.dagSizes ?? new Float64Array(0);
  if (count === directory.count) return { count, names: directory.names, cids, dagSizes };
  const liveCids = Buffer.alloc(count * CID_COLUMN_BYTES);
  for (let to = 0; to < count; to++) {
    const from = (live[to] as number) * CID_COLUMN_BYTES;
    cids.copy(liveCids, to * CID_COLUMN_BYTES, from, from + CID_COLUMN_BYTES);
  }
  return {
    count,
    names: Array.from(live, (i) => directory.nameOf(i)),
    cids: liveCids,
    dagSizes: Float64Array.from(live, (i) => dagSizes[i] as number),
  };
}
