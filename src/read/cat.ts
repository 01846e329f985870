/** `cat`: the bytes of one file of a snapshot, or of a part of it, leaf by leaf. */
import { displayPath } from '../core/display.ts';
import { ShardctlError } from '../core/errors.ts';
import { type BlockId, type ByteString, FILE } from '../core/model.ts';
import { formatCount } from '../home/sizes.ts';
import type { Blocks } from './blocks/block-source.ts';
import { type FileBlocks, leavesOf } from './files/file-leaves.ts';
import { assertSize, dataOf } from './tree/file-data.ts';
import { Repetition } from './tree/repetition.ts';
import { resolve, type TreeEntry } from './tree/tree.ts';

/** As in HTTP (RFC 9110, 14.1.2): the bytes from one on, to one that is included or to the end; or so many of the last. */
export type ByteRange = { readonly first: number; readonly last: number | undefined } | { readonly suffix: number };

export interface CatOptions {
  readonly root: BlockId;
  /** Inside the tree. */
  readonly path: ByteString;
  readonly blocks: Blocks;
  readonly signal: AbortSignal;
  /** Absent for the whole file. */
  readonly range?: ByteRange | undefined;
  /** See `GetOptions`. [false] */
  readonly isOwn?: boolean;
}

/** Holds one leaf at a time. Throws `USAGE` when the path is not a file, or has no byte of the range. */
export async function* cat({ root, path, blocks, signal, range, isOwn = false }: CatOptions): AsyncGenerator<Uint8Array> {
  const file = await resolve(root, path, blocks);
  if (file.kind !== FILE) {
    throw new ShardctlError('USAGE', `${shown(path)} is not a file`, {
      hint: 'list a directory with `shardctl ls`, restore it with `shardctl get`',
    });
  }
  const data = range === undefined ? dataOf(file, blocks, isOwn ? undefined : new Repetition()) : partOf(file, path, range, blocks);
  for await (const bytes of data) {
    signal.throwIfAborted();
    yield bytes;
  }
}

/** Reads the leaves that the range needs, and no others. */
async function* partOf(file: TreeEntry, path: ByteString, range: ByteRange, blocks: Blocks): AsyncGenerator<Uint8Array> {
  const { size, content } = file;
  const first = 'suffix' in range ? Math.max(0, size - range.suffix) : range.first;
  const last = 'suffix' in range ? undefined : range.last;
  if ('suffix' in range ? range.suffix === 0 : first >= size) {
    const bytes = size === 1 ? '1 byte' : `${formatCount(size)} bytes`;
    throw new ShardctlError('USAGE', `${shown(path)} has ${bytes}: none from ${formatCount(first)} on`, {
      hint: 'bytes are counted from 0',
    });
  }
  const byBlocks: FileBlocks = {
    read: (digest) => blocks.read(digest),
    sizeOf: async () => undefined,
    extentOf: async () => undefined,
    extentNow: () => undefined,
  };
  const { codec, digest } = file;
  const node = 'links' in content ? content : undefined;
  for await (const part of leavesOf({ codec, digest, node }, first, Math.min(size, (last ?? size) + 1), byBlocks)) {
    if ('data' in part) yield part.data;
    else {
      const block = await blocks.read(part.leaf.digest);
      assertSize(part.leaf, block.length, part.size);
      yield block.subarray(part.from, part.to);
    }
  }
}

function shown(path: ByteString): string {
  return path === '' ? 'the root of the tree' : `"${displayPath(path)}"`;
}
