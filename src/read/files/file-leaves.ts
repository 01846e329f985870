/**
 * Which leaves of a file have the bytes of a range. Descends only into the parts that the range needs, by the sizes that nodes give of
 * them; where a node gives none, each part before the range is looked at. A stranger's node may lie: no more bytes are given out than
 * the file says it has, and what has another size than the node above says is damage.
 */
import { ShardctlError } from '../../core/errors.ts';
import { type BlockId, RAW } from '../../core/model.ts';
import { cidText } from '../../dag/cid.ts';
import { type DagNode, decodeNode, type Link } from '../../dag/node-reader.ts';
import type { StoredBlocks } from '../stored/stored-blocks.ts';
import { assertFileNode, assertSize } from '../tree/file-data.ts';
import { Repetition } from '../tree/repetition.ts';

/** What is needed of the home's blocks. */
export interface FileBlocks extends Pick<StoredBlocks, 'read' | 'sizeOf' | 'extentOf' | 'extentNow'> {
  /** All blocks of the view, where these are what one request sees of them. */
  readonly ofView?: FileBlocks;
}

export interface FileToRead extends BlockId {
  /** The file's own node; undefined when the file is one raw leaf. */
  readonly node: DagNode | undefined;
}

/** The part [from, to) of a leaf. */
export interface LeafPart {
  /** A raw leaf, still to be read. */
  readonly leaf: BlockId;
  /** Bytes that the leaf must have; undefined when nobody has said. */
  readonly size: number | undefined;
  readonly from: number;
  readonly to: number;
}

/** The data of a node, which was read already. */
export interface InlinePart {
  readonly data: Uint8Array;
}

/** Bytes from `from` on and before `to`, in order. @throws ShardctlError `DAMAGE`; BoundlessTree */
export async function* leavesOf(
  { codec, digest, node }: FileToRead,
  from: number,
  to: number,
  blocks: FileBlocks,
): AsyncGenerator<LeafPart | InlinePart, void, void> {
  if (from >= to) return;
  if (node === undefined) yield { leaf: { codec, digest }, size: undefined, from, to };
  else yield* new Descent(from, to, blocks).below({ codec, digest }, node, 0, 1);
}

class Descent {
  readonly #from: number;
  readonly #to: number;
  readonly #blocks: FileBlocks;
  readonly #repetition = new Repetition();

  constructor(from: number, to: number, blocks: FileBlocks) {
    this.#from = from;
    this.#to = to;
    this.#blocks = blocks;
  }

  /** @param start of the node's bytes in the file */
  async *below(id: BlockId, node: DagNode, start: number, level: number): AsyncGenerator<LeafPart | InlinePart, void, void> {
    assertFileNode(id, node, level);
    assertSum(id, node);
    const end = start + node.fileBytes;
    const data = node.data ?? new Uint8Array(0);
    if (data.length > node.fileBytes) throw damaged(id, `says ${node.fileBytes} bytes and has more`);
    this.#repetition.node(id.digest, node.links.length);
    if (data.length > 0 && start + data.length > this.#from)
      yield { data: data.subarray(Math.max(0, this.#from - start), Math.min(data.length, this.#to - start)) };
    let at = start + data.length;
    for (const [index, link] of node.links.entries()) {
      if (at >= this.#to) return;
      this.#repetition.part();
      const claimed = node.blockSizes[index];
      if (claimed !== undefined && (claimed === 0 || at + claimed <= this.#from)) {
        at += claimed;
        continue;
      }
      const part = await this.#part(link, claimed);
      if (at + part.size > end) throw damaged(id, `says ${node.fileBytes} bytes and has more`);
      if (at + part.size > this.#from) {
        if (part.node !== undefined) yield* this.below(link, part.node, at, level + 1);
        else {
          const [from, to] = [Math.max(0, this.#from - at), Math.min(part.size, this.#to - at)];
          yield link.inline === undefined ? { leaf: link, size: part.size, from, to } : { data: link.inline.subarray(from, to) };
        }
      }
      at += part.size;
    }
    if (at < Math.min(end, this.#to)) throw damaged(id, `says ${node.fileBytes} bytes and has ${at - start}`);
  }

  /** How large a part is, and its node unless it is a leaf. */
  async #part(link: Link, claimed: number | undefined): Promise<{ readonly size: number; readonly node: DagNode | undefined }> {
    if (link.codec === RAW) {
      if (link.inline !== undefined) assertSize(link, link.inline.length, claimed);
      const size =
        link.inline?.length ?? claimed ?? (await this.#blocks.sizeOf(link.digest)) ?? (await this.#blocks.read(link.digest)).length;
      return { size, node: undefined };
    }
    const node = decodeNode(link.inline ?? (await this.#blocks.read(link.digest)));
    assertSize(link, node.fileBytes, claimed);
    return { size: node.fileBytes, node };
  }
}

/** Where a node says how large its parts are, it is known before anything is read whether they make up the whole. */
function assertSum(id: BlockId, { data, blockSizes, fileBytes }: DagNode): void {
  if (blockSizes.length === 0) return;
  let sum = data?.length ?? 0;
  for (const size of blockSizes) sum += size;
  if (sum !== fileBytes) throw damaged(id, `says ${fileBytes} bytes and has ${sum}`);
}

function damaged(id: BlockId, why: string): ShardctlError {
  return new ShardctlError('DAMAGE', `${cidText(id, 1)} ${why}`);
}
