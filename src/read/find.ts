/** `find`: the entries of a tree, or of a part of it, that are as asked for. */
import { type BlockId, type ByteString, DIRECTORY, type EntryKind, FILE } from '../core/model.ts';
import { partsOf } from '../core/path-bytes.ts';
import type { Blocks } from './blocks/block-source.ts';
import { resolve } from './tree/tree.ts';
import { factsOf, type TreeWalkOptions, type WalkedEntry, walkTree } from './tree/tree-walk.ts';

/** What an entry must be like: all of it. What is absent is not asked. */
export interface Wanted {
  /** Asked for the last part of an entry's path. */
  readonly name?: ((name: ByteString) => boolean) | undefined;
  readonly kinds?: ReadonlySet<EntryKind> | undefined;
  /** Of files alone: bytes, from and to, both included. */
  readonly size?: { readonly from: number; readonly to: number } | undefined;
  /** Modified after this. Entries without a time are not. */
  readonly newerThanNs?: bigint | undefined;
}

export interface FindOptions {
  readonly root: BlockId;
  /** Where to begin, inside the tree; empty for the tree itself. */
  readonly path: ByteString;
  readonly blocks: Blocks;
  readonly signal: AbortSignal;
  readonly wanted: Wanted;
  /** See `GetOptions`. [false] */
  readonly isOwn?: boolean;
  /** See `TreeWalkOptions`; paths are those of the entries. */
  readonly failed?: TreeWalkOptions['failed'];
}

/** Begins with the entry at `path` itself, whose path is empty here: as in find, it must be as asked for, too. */
export async function* find({
  root,
  path,
  blocks,
  signal,
  wanted,
  isOwn = false,
  failed,
}: FindOptions): AsyncGenerator<WalkedEntry, void, void> {
  const top = await resolve(root, path, blocks);
  const first = { ...factsOf(top), path: '', depth: 0 };
  if (isWanted(first, partsOf(path).name, wanted)) yield first;
  if (top.kind !== DIRECTORY) return;
  for await (const entry of walkTree(top, { blocks, signal, isOwn, failed }))
    if (isWanted(entry, partsOf(entry.path).name, wanted)) yield entry;
}

function isWanted({ kind, size, mtimeNs }: WalkedEntry, itsName: ByteString, { name, kinds, size: range, newerThanNs }: Wanted): boolean {
  if (kinds !== undefined && !kinds.has(kind)) return false;
  if (range !== undefined && (kind !== FILE || size < range.from || size > range.to)) return false;
  if (newerThanNs !== undefined && (mtimeNs === undefined || mtimeNs <= newerThanNs)) return false;
  return name?.(itsName) ?? true;
}
