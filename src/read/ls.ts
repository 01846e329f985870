/** `ls`: what a directory of a snapshot holds. */

import { type BlockId, type ByteString, DIRECTORY, type EntryKind } from '../core/model.ts';
import { cidText } from '../dag/cid.ts';
import type { Blocks } from './blocks/block-source.ts';
import { linksOf, readEntry, resolve, type TreeEntry } from './tree/tree.ts';

export interface LsOptions {
  readonly root: BlockId;
  /** Inside the tree; empty for the tree itself. */
  readonly path: ByteString;
  readonly blocks: Blocks;
  readonly signal: AbortSignal;
  /** Version of the CIDs that are shown: 0 for a tree that was made under a profile with CIDv0. */
  readonly cidVersion?: 0 | 1;
}

export interface LsEntry {
  readonly name: ByteString;
  readonly kind: EntryKind;
  /** Bytes of a file, or of a symlink's target; 0 for a directory. */
  readonly size: number;
  /** Permission bits; undefined without metadata and on symlinks. */
  readonly mode: number | undefined;
  readonly mtimeNs: bigint | undefined;
  readonly cid: string;
  /** The target of a symlink, else undefined. */
  readonly target: Uint8Array | undefined;
}

/** The entries of a directory, sorted by the bytes of their names. For a path that is not a directory: its own entry alone. */
export async function* ls({ root, path, blocks, signal, cidVersion = 1 }: LsOptions): AsyncGenerator<LsEntry> {
  const entry = await resolve(root, path, blocks);
  if (entry.kind !== DIRECTORY) {
    yield lineOf(path.slice(path.lastIndexOf('/') + 1), entry, cidVersion);
    return;
  }
  for (const link of await linksOf(entry, blocks)) {
    signal.throwIfAborted();
    yield lineOf(link.name, await readEntry(link, blocks), cidVersion);
  }
}

function lineOf(name: ByteString, entry: TreeEntry, cidVersion: 0 | 1): LsEntry {
  const { kind, size, mode, mtimeNs, target } = entry;
  return { name, kind, size, mode, mtimeNs, target, cid: cidText(entry, cidVersion) };
}
