/** Where the leaves of a file lie, and which of its bytes each has: from its nodes, without its leaves. */
import { ShardctlError } from '../core/errors.ts';
import { RAW } from '../core/model.ts';
import { type DagNode, decodeNode } from '../dag/node-reader.ts';
import type { Blocks } from '../read/blocks/block-source.ts';
import { assertFileBytes, assertFileNode } from '../read/tree/file-data.ts';
import type { Repetition } from '../read/tree/repetition.ts';
import type { TreeEntry } from '../read/tree/tree.ts';
import type { ShardTables } from './shard-tables.ts';
import type { Place } from './wanted-files.ts';

/** A file of more leaves is read block by block: its places would take too much memory. It is 256 GiB in leaves of 1 MiB. */
const MOST_PLACES = 2 ** 18;
/** A dag-pb leaf has no more bytes than this around its data. */
const WRAPPING_BYTES = 64;

/**
 * All leaves of the file, in order. Undefined when it has none, when one is in no shard that is known, and when the sizes do not say where
 * each leaf belongs: then only reading the file from its beginning can tell.
 * @throws ShardctlError when an inner node cannot be read, or is none; BoundlessTree
 */
export async function placesOf(
  file: TreeEntry,
  tables: ShardTables,
  blocks: Blocks,
  repetition: Repetition | undefined,
): Promise<readonly Place[] | undefined> {
  if (!('links' in file.content)) return undefined;
  const places: Place[] = [];
  const isKnown = await below(file, file.content, 0, 1);
  return isKnown && places.length > 0 ? places : undefined;

  async function below(id: TreeEntry | DagNode['links'][number], node: DagNode, from: number, level: number): Promise<boolean> {
    assertFileNode(id, node, level);
    repetition?.node(id.digest, node.links.length);
    if ((node.data?.length ?? 0) > 0 || node.blockSizes.length !== node.links.length) return false;
    let offset = from;
    for (const [index, link] of node.links.entries()) {
      repetition?.part();
      const size = node.blockSizes[index] as number;
      if (size === 0) continue;
      if (places.length >= MOST_PLACES) return false;
      const at = await tables.find(link.digest);
      if (at === undefined) return false;
      const length = tables.lengthOf(at);
      const isRaw = link.codec === RAW;
      if (isRaw ? length === size : length > size && length <= size + WRAPPING_BYTES) places.push({ at, offset, isRaw });
      else if (isRaw || !(await innerNode(link, size, offset, level))) return false;
      offset += size;
      if (offset - from > node.fileBytes) break;
    }
    assertFileBytes(id, node, offset - from);
    return true;
  }

  async function innerNode(link: DagNode['links'][number], size: number, offset: number, level: number): Promise<boolean> {
    const node = decodeNode(await blocks.read(link.digest));
    return node.fileBytes === size && node.links.length > 0 && (await below(link, node, offset, level + 1));
  }
}

/** The data of a leaf that is a dag-pb node; undefined when it is not a leaf. */
export function leafData(block: Uint8Array): Uint8Array | undefined {
  const node = decodedNode(block);
  if (node === undefined || (node.type !== 'file' && node.type !== 'raw') || node.links.length > 0) return undefined;
  const data = node.data ?? new Uint8Array(0);
  return data.length === node.fileBytes ? data : undefined;
}

/** Undefined for a block that is no UnixFS node. */
export function decodedNode(block: Uint8Array): DagNode | undefined {
  try {
    return decodeNode(block);
  } catch (error) {
    if (error instanceof ShardctlError) return undefined;
    throw error;
  }
}
