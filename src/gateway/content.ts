/** What is at the root of a SRC: a snapshot, which names its shards, or a tree by itself. */
import { ShardctlError } from '../core/errors.ts';
import { type BlockId, RAW } from '../core/model.ts';
import { cidText } from '../dag/cid.ts';
import { decodeNode } from '../dag/node-reader.ts';
import { type ShardLink, SNAPSHOT_LINKS } from '../snapshot/snapshot.ts';
import { type ReadSnapshot, readSnapshot } from '../snapshot/snapshot-reader.ts';
import type { Gateways } from './gateways.ts';
import { HeldBlocks } from './held-blocks.ts';

export interface SourceContent {
  readonly tree: BlockId;
  /** Undefined where a tree came by itself: then nobody says which shards hold it. */
  readonly snapshot: ReadSnapshot | undefined;
  readonly shards: readonly ShardLink[];
  /** All blocks; those of the snapshot, and the root of its tree, are there already. */
  readonly blocks: HeldBlocks;
}

/** @throws ShardctlError `DAMAGE` when it is neither, `NEWER_FORMAT`, `TOO_FEW_PEERS` */
export async function contentOf(gateways: Gateways, root: BlockId): Promise<SourceContent> {
  const cid = cidText(root, 1);
  if (root.codec === RAW) throw new ShardctlError('DAMAGE', `${cid} is neither a snapshot nor the root of a tree: it is a block of data`);
  const blocks = new HeldBlocks(gateways);
  blocks.hold([root]);
  const node = decodeNode(await blocks.read(root.digest));
  const names = node.links.map(({ name }) => name).join(' ');
  if (node.type === 'directory' && names === SNAPSHOT_LINKS) {
    blocks.hold(node.links);
    const snapshot = await readSnapshot(root, (digest) => blocks.read(digest));
    return { tree: snapshot.tree, snapshot, shards: snapshot.shards, blocks };
  }
  if (node.type !== 'directory' && node.type !== 'hamt') {
    throw new ShardctlError('DAMAGE', `${cid} is neither a snapshot nor the root of a tree: it is a ${node.type}`);
  }
  return { tree: root, snapshot: undefined, shards: [], blocks };
}
