/**
 * The data of a file, leaf by leaf. A stranger's node may lie about its size, and its links may lead to the same few blocks over and
 * over. So no more bytes are given out than the file says it has, a link that claims 0 bytes is not followed, and a block that comes
 * several times in a row, as in an empty disk image, is read once.
 */

import { ShardctlError } from '../../core/errors.ts';
import { type BlockId, RAW } from '../../core/model.ts';
import { cidText, sameDigest } from '../../dag/cid.ts';
import { type DagNode, decodeNode } from '../../dag/node-reader.ts';
import type { Blocks } from '../blocks/block-source.ts';
import type { Repetition } from './repetition.ts';
import type { TreeEntry } from './tree.ts';

/** The most levels of nodes that a file may have. A file of 2^53 bytes in which each node has two links has 53 levels. */
export const MOST_FILE_LEVELS = 64;

/**
 * Holds one leaf, and one node for each level.
 * @param repetition counts the parts of all files of one walk, where they may be a stranger's
 * @throws ShardctlError `DAMAGE` at the first part that has another size than its file says; BoundlessTree
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
    // Checked before the part is given out, so that a reader never gets more bytes than the file says.
    if (bytes > node.fileBytes) break;
    if (part.below === undefined) yield part.block;
    else if (size > 0) yield* dataBelow(link, part.below, parts, level + 1);
  }
  assertFileBytes(id, node, bytes);
}

/** A block of a file, decoded if it is a node. */
interface Part {
  readonly digest: Uint8Array;
  readonly block: Uint8Array;
  readonly below: DagNode | undefined;
}

/** Reads the blocks of a file. Keeps the last leaf and the last node of each level, and does not read them again when they come next. */
class Parts {
  readonly repetition: Repetition | undefined;
  readonly #blocks: Blocks;
  #leaf: Part | undefined;
  readonly #nodes: (Part | undefined)[] = [];

  constructor(blocks: Blocks, repetition: Repetition | undefined) {
    this.#blocks = blocks;
    this.repetition = repetition;
  }

  /** @param level of the node that links to this block */
  async read({ codec, digest }: BlockId, level: number): Promise<Part> {
    const last = codec === RAW ? this.#leaf : this.#nodes[level];
    if (last !== undefined && sameDigest(last.digest, digest)) return last;
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
  // Some writers leave out the sizes of the parts: then each part says its own.
  const hasSizes = blockSizes.length > 0;
  if ((type !== 'file' && type !== 'raw') || (hasSizes && blockSizes.length !== links.length)) throw damaged(id, 'is not a part of a file');
}

/** @param claimed the size in the node above; undefined if that gives no sizes */
export function assertSize(link: BlockId, size: number, claimed: number | undefined): void {
  if (claimed === undefined || claimed === size) return;
  throw damaged(link, `${link.codec === RAW ? 'has' : 'stands for'} ${size} bytes where its file says ${claimed}`);
}

/** @param bytes in the node and below it; counting may stop as soon as they are more than the node says */
export function assertFileBytes(id: BlockId, { fileBytes }: DagNode, bytes: number): void {
  if (bytes !== fileBytes) throw damaged(id, `says ${fileBytes} bytes and has ${bytes > fileBytes ? 'more' : bytes}`);
}

function damaged(id: BlockId, why: string): ShardctlError {
  return new ShardctlError('DAMAGE', `${cidText(id, 1)} ${why}`);
}
