/**
 * The data of a file, leaf by leaf. What a node says of its size may be a lie, and its links may lead to the same few blocks over
 * and over: no more is read than the file says that it has, what stands for no bytes is not looked into, and what follows itself, as
 * in an empty disk image, is read once.
 */

import { ShardctlError } from '../../core/errors.ts';
import { type BlockId, RAW } from '../../core/model.ts';
import { cidText } from '../../dag/cid.ts';
import { type DagNode, decodeNode } from '../../dag/node-reader.ts';
import type { Blocks } from '../blocks/block-source.ts';
import type { Repetition } from './repetition.ts';
import type { TreeEntry } from './tree.ts';

/** File nodes above one another. A file of 2^53 bytes in which each node has two links has 53 levels. */
export const MOST_FILE_LEVELS = 64;

/**
 * Never holds more than one leaf, and a node a level.
 * @param repetition of all the files that are read, where they may be a stranger's
 * @throws ShardctlError `DAMAGE` at the first part that is not what the file says; BoundlessTree
 */
export async function* dataOf(file: TreeEntry, blocks: Blocks, repetition?: Repetition): AsyncGenerator<Uint8Array> {
  if (!('links' in file.content)) yield file.content.data;
  else yield* dataBelow(file, file.content, new Parts(blocks, repetition), 1);
}

async function* dataBelow(id: BlockId, node: DagNode, parts: Parts, level: number): AsyncGenerator<Uint8Array> {
  assertFileNode(id, node, level);
  parts.repetition?.node(id.digest, node.links.length);
  let bytes = node.data?.length ?? 0;
  if (node.data !== undefined && bytes > 0) yield node.data;
  for (const [index, link] of node.links.entries()) {
    parts.repetition?.part();
    const claimed = node.blockSizes[index];
    if (claimed === 0) continue;
    const part = await parts.read(link, level);
    const size = part.below?.fileBytes ?? part.block.length;
    assertSize(link, size, claimed);
    bytes += size;
    // Before it is given out: a stranger's file is no longer than it says.
    if (bytes > node.fileBytes) break;
    if (part.below === undefined) yield part.block;
    else if (size > 0) yield* dataBelow(link, part.below, parts, level + 1);
  }
  assertFileBytes(id, node, bytes);
}

/** A block of a file, and the node that it is when it is no leaf. */
interface Part {
  readonly digest: Uint8Array;
  readonly block: Uint8Array;
  readonly below: DagNode | undefined;
}

/** Reads what a file is made of, and remembers the leaf that came last and the node that came last on each level. */
class Parts {
  readonly repetition: Repetition | undefined;
  readonly #blocks: Blocks;
  #leaf: Part | undefined;
  readonly #nodes: (Part | undefined)[] = [];

  constructor(blocks: Blocks, repetition: Repetition | undefined) {
    this.#blocks = blocks;
    this.repetition = repetition;
  }

  /** @param level of the node that links to it */
  async read({ codec, digest }: BlockId, level: number): Promise<Part> {
    const last = codec === RAW ? this.#leaf : this.#nodes[level];
    if (last !== undefined && Buffer.compare(last.digest, digest) === 0) return last;
    const block = await this.#blocks.read(digest);
    const part = { digest, block, below: codec === RAW ? undefined : decodeNode(block) };
    if (codec === RAW) this.#leaf = part;
    else this.#nodes[level] = part;
    return part;
  }
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
