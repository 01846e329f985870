/** A reference turned into something to read from: the tree's root, and a source for its blocks. */
import { parseCid } from '../dag/cid.ts';
import type { BlockId, ByteString, SnapshotRecord } from '../model.ts';
import { BlockSource } from '../read/block-source.ts';
import type { Context } from './context.ts';
import { resolveRef } from './ref.ts';
import { reading } from './wire.ts';

export interface OpenTree {
  readonly snapshot: SnapshotRecord;
  readonly root: BlockId;
  /** Inside the tree; empty for the tree itself. */
  readonly path: ByteString;
  readonly blocks: BlockSource;
  /** Of the tree's CIDs: those of a profile of CIDv0 are shown as such. */
  readonly cidVersion: 0 | 1;
}

/** Runs `work` on the tree that a `REF[/PATH]` names. */
export async function withTree<T>(context: Context, ref: string, work: (tree: OpenTree) => Promise<T>): Promise<T> {
  return await reading(context, async ({ index, peers }) => {
    const { snapshot, path } = resolveRef(ref, index);
    const locate = (digest: Uint8Array) => {
      const number = index.shardOf(digest);
      return number === undefined ? undefined : index.shard(number);
    };
    const onTrouble = (message: string) => context.reporter.event({ type: 'warning', message });
    const blocks = new BlockSource({ locate, peers, onTrouble });
    try {
      const root = parseCid(snapshot.tree);
      return await work({ snapshot, root, path, blocks, cidVersion: root.version });
    } finally {
      await blocks.close();
    }
  });
}
