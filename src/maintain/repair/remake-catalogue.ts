/** Makes a catalogue anew of which no replica is left: its blocks follow from the snapshot's record in the index. */

import { isShortage, ShardctlError } from '../../core/errors.ts';
import type { SnapshotRecord } from '../../core/model.ts';
import { parseCid } from '../../dag/cid.ts';
import { decodeNode } from '../../dag/node-reader.ts';
import { placedBlocks } from '../../read/blocks/placed-blocks.ts';
import { type BuiltSnapshot, buildSnapshot, snapshotFile } from '../../snapshot/snapshot.ts';
import type { PackedShard } from '../../storing/pack/open-shard.ts';
import { sealCatalogue } from '../../storing/place-catalogue.ts';
import type { RepairRun } from './repair-run.ts';

/** @returns the catalogue in the spool; undefined when the block of the tree's root cannot be had, or the record says too little */
export async function remakeCatalogue(run: RepairRun, snapshot: SnapshotRecord): Promise<PackedShard | undefined> {
  const { index, spool } = run;
  const built = await rebuilt(run, snapshot);
  if (built?.cid !== snapshot.cid) return undefined;
  return await sealCatalogue(spool, index.nextShardNumber(), built.blocks);
}

/** Whether `remakeCatalogue` can give it. */
export async function canRemakeCatalogue(run: RepairRun, snapshot: SnapshotRecord): Promise<boolean> {
  return (await rebuilt(run, snapshot))?.cid === snapshot.cid;
}

async function rebuilt({ index, peers }: RepairRun, snapshot: SnapshotRecord): Promise<BuiltSnapshot | undefined> {
  const links = snapshot.shards.map((number) => index.shard(number)).filter((shard) => shard !== undefined);
  const tree = parseCid(snapshot.tree);
  const blocks = placedBlocks(index, peers);
  try {
    const block = Buffer.from(await blocks.read(tree.digest));
    // As dag-pb's Tsize: the node itself, and all behind its links.
    const dagSize = decodeNode(block).links.reduce((sum, link) => sum + link.dagSize, block.length);
    return buildSnapshot(snapshotFile(snapshot), links, { ...tree, dagSize }, block);
  } catch (error) {
    if (error instanceof ShardctlError && !isShortage(error)) return undefined;
    throw error;
  } finally {
    await blocks.close();
  }
}
