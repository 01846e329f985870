/** `ls`: what a directory of a snapshot holds, with or without all that is below it. */

import { type BlockId, type ByteString, DIRECTORY } from '../core/model.ts';
import { partsOf } from '../core/path-bytes.ts';
import type { Blocks } from './blocks/block-source.ts';
import { resolve } from './tree/tree.ts';
import { factsOf, type TreeWalkOptions, type WalkedEntry, walkTree } from './tree/tree-walk.ts';

export interface LsOptions {
  readonly root: BlockId;
  /** Inside the tree; empty for the tree itself. */
  readonly path: ByteString;
  readonly blocks: Blocks;
  readonly signal: AbortSignal;
  /** Go down into directories. [false] */
  readonly recursive?: boolean;
  /** See `GetOptions`. [false] */
  readonly isOwn?: boolean;
  /** See `TreeWalkOptions`; paths are those of the entries. */
  readonly failed?: TreeWalkOptions['failed'];
}

/**
 * The entries of a directory, sorted by the bytes of their names, with their paths from it. For a path that is not a directory: its own
 * entry alone, by its name.
 */
export async function* ls({
  root,
  path,
  blocks,
  signal,
  recursive = false,
  isOwn = false,
  failed,
}: LsOptions): AsyncGenerator<WalkedEntry, void, void> {
  const entry = await resolve(root, path, blocks);
  if (entry.kind === DIRECTORY) yield* walkTree(entry, { blocks, signal, isOwn, failed, enters: () => recursive });
  else yield { ...factsOf(entry), path: partsOf(path).name, depth: 0 };
}
