/**
 * The data of a file, leaf by leaf. What a node says of its size may be a lie, and its links may lead to the same few blocks over
 * and over: no more is read than the file says that it has, and what stands for no bytes is not looked into.
 */
import { cidText } from '../dag/cid.ts';
import { type DagNode, decodeNode } from '../dag/decode.ts';
import { ShardctlError } from '../errors.ts';
import { type BlockId, RAW } from '../model.ts';
import type { Blocks } from './block-source.ts';
import type { TreeEntry } from './tree.ts';

/** File nodes above one another. A file of 2^53 bytes in which each node has two links has 53 levels. */
export const MOST_FILE_LEVELS = 64;

/** Never holds more than one leaf. @throws ShardctlError `DAMAGE` at the first part that is not what the file says */
export async function* dataOf(file: TreeEntry, blocks: Blocks): AsyncGenerator<Uint8Array> {
  if (!('links' in file.content)) yield file.content.data;
  else yield* dataBelow(file, file.content, blocks, 1);
}

async function* dataBelow(id: BlockId, node: DagNode, blocks: Blocks, level: number): AsyncGenerator<Uint8Array> {
  assertFileNode(id, node, level);
  let bytes = node.data?.length ?? 0;
  if (node.data !== undefined && bytes > 0) yield node.data;
  for (const [index, link] of node.links.entries()) {
    const claimed = node.blockSizes[index];
    if (claimed === 0) continue;
    const block = await blocks.read(link.digest);
    const below = link.codec === RAW ? undefined : decodeNode(block);
    const size = below?.fileBytes ?? block.length;
    assertSize(link, size, claimed);
    bytes += size;
    // Before it is given out: a stranger's file is no longer than it says.
    if (bytes > node.fileBytes) break;
    if (below === undefined) yield block;
    else if (size > 0) yield* dataBelow(link, below, blocks, level + 1);
  }
  assertFileBytes(id, node, bytes);
}

/** @throws ShardctlError `DAMAGE` when this cannot be a node of a file, `level` levels from its top */
export function assertFileNode(id: BlockId, { type, links, blockSizes }: DagNode, level: number): void {
  if (level > MOST_FILE_LEVELS) throw damaged(id, 'is nested too deep');
  // Some writers give no sizes; what is below says them then.
  const hasSizes = blockSizes.length > 0;
  if ((type !== 'file' && type !== 'raw') || (hasSizes && blockSizes.length !== links.length)) throw damaged(id, 'is not a part of a file');
}

/** @param claimed by the node above; undefined where it says nothing */
export function assertSize(link: BlockId, size: number, claimed: number | undefined): void {
  if (claimed === undefined || claimed === size) return;
  throw damaged(link, `${link.codec === RAW ? 'has' : 'stands for'} ${size} bytes where its file says ${claimed}`);
}

/** @param bytes that are in the node and below it, or more than it says */
export function assertFileBytes(id: BlockId, { fileBytes }: DagNode, bytes: number): void {
  if (bytes !== fileBytes) throw damaged(id, `says ${fileBytes} bytes and has ${bytes > fileBytes ? 'more' : bytes}`);
}

function damaged(id: BlockId, why: string): ShardctlError {
  return new ShardctlError('DAMAGE', `${cidText(id, 1)} ${why}`);
}
