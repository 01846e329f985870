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
    // The record may say less than the catalogue did: what is built of it must have the snapshot's CID.
    const parts = await recordedParts(home, snapshot);
    if (parts === undefined || builtOf(home, snapshot, parts).cid !== snapshot.cid) throw error;
    return parts;
  }
}

/** Without reading the catalogue. @returns undefined when the block of the tree's root cannot be had, or the record says too little */
export async function rebuiltSnapshot(home: Home, snapshot: SnapshotRecord): Promise<BuiltSnapshot | undefined> {
  const parts = await recordedParts(home, snapshot);
  const built = parts && builtOf(home, snapshot, parts);
  return built?.cid === snapshot.cid ? built : undefined;
}

function builtOf({ index }: Home, snapshot: SnapshotRecord, { file, tree, treeBlock }: SnapshotParts): BuiltSnapshot {
  const shards = snapshot.shards.map((number) => index.shard(number)).filter((shard) => shard !== undefined);
  return buildSnapshot(file, shards, tree, treeBlock);
}

async function recordedParts({ index, peers }: Home, snapshot: SnapshotRecord): Promise<SnapshotParts | undefined> {
  const tree = parseCid(snapshot.tree);
  const blocks = placedBlocks(index, peers);
  try {
    const treeBlock = Buffer.from(await blocks.read(tree.digest));
    // As dag-pb's Tsize: the node itself, and all behind its links.
    const dagSize = decodeNode(treeBlock).links.reduce((sum, link) => sum + link.dagSize, treeBlock.length);
    return { file: snapshotFile(snapshot), tree: { ...tree, dagSize }, treeBlock };
  } catch (error) {
    if (error instanceof ShardctlError && !isShortage(error)) return undefined;
    throw error;
  } finally {
    await blocks.close();
  }
}
