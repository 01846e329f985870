/**
 * Finds what a path leads to, block by block, under the very CIDs by which the blocks are linked: they go into CARs and `X-Ipfs-Roots`.
 * Symlinks are not followed, as no IPFS gateway follows them.
 */
import { type ByteString, DAG_PB } from '../../core/model.ts';
import { textOfCid } from '../../dag/cid.ts';
import type { AnyCid } from '../../dag/foreign-cid.ts';
import { HASH_BITS, HamtSlots } from '../../dag/hamt-slots.ts';
import type { NodeLink } from '../../dag/node-links.ts';
import type { UnixFs } from '../../dag/unixfs-reader.ts';
import { type ContentBlocks, NotHere } from './content-blocks.ts';
import { printable } from './content-path.ts';
import type { KnownNode } from './known-nodes.ts';

/** A block under the CID by which it was found. */
export interface CidBlock {
  readonly cid: AnyCid;
  readonly bytes: Uint8Array;
}

export interface ResolvedPath {
  /** The root, and the entry of each name below it: the last one is what the path leads to. */
  readonly roots: readonly AnyCid[];
  readonly last: AnyCid;
  /** The blocks that were read on the way, in this order, without that of `last`: directories, and nodes of HAMT directories. */
  readonly way: readonly CidBlock[];
}

/** @throws NotHere when a block is missing, or a directory has no such name; ShardctlError `DAMAGE` */
export async function resolvePath(root: AnyCid, names: readonly ByteString[], blocks: ContentBlocks): Promise<ResolvedPath> {
  const roots = [root];
  const way: CidBlock[] = [];
  let last = root;
  for (const name of names) {
    const next = await childNamed(last, name, blocks, way);
    if (next === undefined) throw new NotHere(`no link named "${printable(name)}" under ${textOfCid(last.bytes)}`);
    last = next;
    roots.push(next);
  }
  return { roots, last, way };
}

async function childNamed(cid: AnyCid, name: ByteString, blocks: ContentBlocks, way: CidBlock[]): Promise<AnyCid | undefined> {
  if (cid.codec !== DAG_PB) return undefined;
  const node = await blocks.node(cid);
  way.push({ cid, bytes: node.bytes });
  const { unixFs } = node;
  if (unixFs?.type === 'directory') return node.link(name)?.cid;
  return unixFs?.type === 'hamt' ? await childInHamt(node, unixFs, name, blocks, way) : undefined;
}

async function childInHamt(
  root: KnownNode,
  { fanout = 256 }: UnixFs,
  name: ByteString,
  blocks: ContentBlocks,
  way: CidBlock[],
): Promise<AnyCid | undefined> {
  const slots = new HamtSlots(fanout).take(name);
  let node = root;
  for (let level = 0; (level + 1) * Math.log2(fanout) <= HASH_BITS; level++) {
    const prefix = slots.prefixAt(level);
    const link = node.linkBelow(prefix);
    if (link === undefined || !isBelow(link, prefix)) return link?.name === prefix + name ? link.cid : undefined;
    node = await blocks.node(link.cid);
    way.push({ cid: link.cid, bytes: node.bytes });
    const below = node.unixFs;
    if (below?.type !== 'hamt' || below.fanout !== fanout) return undefined;
  }
  return undefined;
}

/** Whether the link leads one level down: those to entries have a name after the number of their slot. */
function isBelow({ name, cid }: NodeLink, prefix: string): boolean {
  return name === prefix && cid.codec === DAG_PB;
}
