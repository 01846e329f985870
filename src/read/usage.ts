/** `du`: how much is below each directory of a tree. */
import { type BlockId, type ByteString, DIRECTORY, FILE } from '../core/model.ts';
import type { Blocks } from './blocks/block-source.ts';
import { resolve } from './tree/tree.ts';
import { type TreeWalkOptions, type WalkedEntry, walkTree } from './tree/tree-walk.ts';

export interface Usage {
  /** From the directory where the walk began, which is empty here. */
  readonly path: ByteString;
  /** Of all files, each as often as it comes. */
  readonly bytes: number;
  readonly files: number;
  /** Itself included. */
  readonly directories: number;
  readonly symlinks: number;
}

export interface UsageOptions {
  readonly root: BlockId;
  /** Where to begin, inside the tree; empty for the tree itself. */
  readonly path: ByteString;
  readonly blocks: Blocks;
  readonly signal: AbortSignal;
  /** Directories further down than this are counted in those above them, and not told of. */
  readonly depth: number;
  /** See `GetOptions`. [false] */
  readonly isOwn?: boolean;
  /** See `TreeWalkOptions`; paths are those of the entries. */
  readonly failed?: TreeWalkOptions['failed'];
}

/** The sums of a directory whose end has not come yet. */
interface Open {
  readonly path: ByteString;
  bytes: number;
  files: number;
  directories: number;
  symlinks: number;
}

/** As du: each directory after those in it, `path` itself last. A file or symlink is told of by itself. */
export async function* usageOf({
  root,
  path,
  blocks,
  signal,
  depth,
  isOwn = false,
  failed,
}: UsageOptions): AsyncGenerator<Usage, void, void> {
  const top = await resolve(root, path, blocks);
  /** Those on the way to where the walk is. */
  const open: Open[] = [sumOf({ path: '', kind: top.kind, size: top.size })];
  if (top.kind === DIRECTORY) {
    for await (const entry of walkTree(top, { blocks, signal, isOwn, failed })) {
      while (open.length > entry.depth) yield* close(open, depth);
      if (entry.kind === DIRECTORY) open.push(sumOf(entry));
      else addTo(open.at(-1) as Open, sumOf(entry));
    }
  }
  while (open.length > 0) yield* close(open, depth);
}

/** Adds the last one to that above it. */
function* close(open: Open[], depth: number): Generator<Usage, void, void> {
  const done = open.pop() as Open;
  const above = open.at(-1);
  if (above !== undefined) addTo(above, done);
  if (open.length <= depth) yield done;
}

function addTo(sum: Open, { bytes, files, directories, symlinks }: Open): void {
  sum.bytes += bytes;
  sum.files += files;
  sum.directories += directories;
  sum.symlinks += symlinks;
}

function sumOf({ path, kind, size }: Pick<WalkedEntry, 'path' | 'kind' | 'size'>): Open {
  return {
    path,
    bytes: kind === FILE ? size : 0,
    files: kind === FILE ? 1 : 0,
    directories: kind === DIRECTORY ? 1 : 0,
    symlinks: kind !== FILE && kind !== DIRECTORY ? 1 : 0,
  };
}
