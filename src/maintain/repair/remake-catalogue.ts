/** Makes a catalogue anew of which no replica is left: its blocks follow from the snapshot's record in the index. */

import type { SnapshotRecord } from '../../core/model.ts';
import type { PackedShard } from '../../storing/pack/open-shard.ts';
import { sealCatalogue } from '../../storing/place-catalogue.ts';
import { rebuiltSnapshot } from '../snapshot-parts.ts';
import type { RepairRun } from './repair-run.ts';

/** @returns the catalogue in the spool; undefined when the block of the tree's root cannot be had, or the record says too little */
export async function remakeCatalogue(run: RepairRun, snapshot: SnapshotRecord): Promise<PackedShard | undefined> {
  const { index, spool } = run;
  const built = await rebuiltSnapshot(run, snapshot);
  return built === undefined ? undefined : await sealCatalogue(spool, index.nextShardNumber(), built.blocks);
}

/** Whether `remakeCatalogue` can give it. */
export async function canRemakeCatalogue(run: RepairRun, snapshot: SnapshotRecord): Promise<boolean> {
  return (await rebuiltSnapshot(run, snapshot)) !== undefined;
}
