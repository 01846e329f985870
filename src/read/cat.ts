/** `cat`: the bytes of one file of a snapshot, leaf by leaf. */
import { displayPath } from '../core/display.ts';
import { ShardctlError } from '../core/errors.ts';
import { type BlockId, type ByteString, FILE } from '../core/model.ts';
import type { Blocks } from './blocks/block-source.ts';
import { dataOf } from './tree/file-data.ts';
import { Repetition } from './tree/repetition.ts';
import { resolve } from './tree/tree.ts';

export interface CatOptions {
  readonly root: BlockId;
  /** Inside the tree. */
  readonly path: ByteString;
  readonly blocks: Blocks;
  readonly signal: AbortSignal;
  /** See `GetOptions`. [false] */
  readonly isOwn?: boolean;
}

/** Holds one leaf at a time. Throws `USAGE` when the path is not a file. */
export async function* cat({ root, path, blocks, signal, isOwn = false }: CatOptions): AsyncGenerator<Uint8Array> {
  const file = await resolve(root, path, blocks);
  if (file.kind !== FILE) {
    throw new ShardctlError('USAGE', `${path === '' ? 'the root of the tree' : `"${displayPath(path)}"`} is not a file`, {
      hint: 'list a directory with `shardctl ls`, restore it with `shardctl get`',
    });
  }
  for await (const bytes of dataOf(file, blocks, isOwn ? undefined : new Repetition())) {
    signal.throwIfAborted();
    yield bytes;
  }
}
