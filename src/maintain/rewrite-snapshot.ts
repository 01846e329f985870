/** Makes a snapshot directory anew with other shards or another repository name. Tree, parent and time stay, and the snapshot gets another CID. */

import type { SnapshotRecord } from '../core/model.ts';
import { buildSnapshot } from '../snapshot/snapshot.ts';
import { catalogueLabel } from '../storing/place/labels.ts';
import { placeCatalogue } from '../storing/place-catalogue.ts';
import type { Maintenance } from './maintenance.ts';
import { snapshotParts } from './snapshot-parts.ts';

/** Puts the new catalogue on the peers. The caller stores the record, in one transaction with whatever else changes. */
export async function rewriteSnapshot(
  run: Maintenance,
  snapshot: SnapshotRecord,
  shards: readonly number[],
  peerNames: readonly string[],
  repository = snapshot.repository,
): Promise<SnapshotRecord> {
  const { index } = run;
  const { file, tree, treeBlock } = await snapshotParts(run, snapshot);
  const links = shards.map((number) => {
    const record = index.shard(number);
    if (record === undefined) throw new Error(`shard ${number} is not in the index`);
    return record;
  });
  const built = buildSnapshot({ ...file, repository }, links, tree, treeBlock);
  const label = catalogueLabel(repository, snapshot.number);
  const { replication } = run.demands.of([snapshot.repository]);
  const catalogue = await placeCatalogue({ ...run, replication }, { label, blocks: built.blocks, peerNames });
  return { ...snapshot, repository, cid: built.cid, shards, catalogue };
}
