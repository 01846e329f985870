/** What a snapshot directory is made of besides its list of shards: read from its catalogue, or else told from its record in the index. */

import { isShortage, ShardctlError } from '../core/errors.ts';
import type { Root, SnapshotRecord } from '../core/model.ts';
import { parseCid } from '../dag/cid.ts';
import { decodeNode } from '../dag/node-reader.ts';
import { placedBlocks } from '../read/blocks/placed-blocks.ts';
import { onReplica } from '../read/blocks/shard-contents.ts';
import { type BuiltSnapshot, buildSnapshot, type SnapshotFile, snapshotFile } from '../snapshot/snapshot.ts';
import { readSnapshot } from '../snapshot/snapshot-reader.ts';
import type { Maintenance } from './maintenance.ts';

export interface SnapshotParts {
  readonly file: SnapshotFile;
  readonly tree: Root;
  /** The block of the tree's root. */
  readonly treeBlock: Buffer;
}

type Home = Pick<Maintenance, 'index' | 'peers'>;

/** @throws ShardctlError of the catalogue's last replica, when no replica can be read and the record says too little */
export async function snapshotParts(home: Home, snapshot: SnapshotRecord): Promise<SnapshotParts> {
  try {
    return await onReplica(snapshot.catalogue, home.peers, (reader) =>
      readSnapshot(parseCid(snapshot.cid), (digest) => reader.read(digest)),
    );
  } catch (error) {
    if (!(error instanceof ShardctlError) || isShortage(error)) throw error;
    const recorded = await recordedParts(home, snapshot);
    if (recorded === undefined) throw error;
    return recorded;
  }
}

/** Without reading the catalogue. @returns undefined when the block of the tree's root cannot be had, or the record says too little */
export async function rebuiltSnapshot(home: Home, snapshot: SnapshotRecord): Promise<BuiltSnapshot | undefined> {
  return (await recordedParts(home, snapshot))?.built;
}

async function recordedParts(
  { index, peers }: Home,
  snapshot: SnapshotRecord,
): Promise<(SnapshotParts & { readonly built: BuiltSnapshot }) | undefined> {
  const tree = parseCid(snapshot.tree);
  const blocks = placedBlocks(index, peers);
  try {
    const treeBlock = Buffer.from(await blocks.read(tree.digest));
    // As dag-pb's Tsize: the node itself, and all behind its links.
    const dagSize = decodeNode(treeBlock).links.reduce((sum, link) => sum + link.dagSize, treeBlock.length);
    const parts: SnapshotParts = { file: snapshotFile(snapshot), tree: { ...tree, dagSize }, treeBlock };
    const shards = snapshot.shards.map((number) => index.shard(number)).filter((shard) => shard !== undefined);
    const built = buildSnapshot(parts.file, shards, parts.tree, treeBlock);
    // The record may say less than the catalogue did: what is built of it must have the snapshot's CID.
    return built.cid === snapshot.cid ? { ...parts, built } : undefined;
  } catch (error) {
    if (error instanceof ShardctlError && !isShortage(error)) return undefined;
    throw error;
  } finally {
    await blocks.close();
  }
}
