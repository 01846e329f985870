/** The end of `import-car`: builds the snapshot of the tree, places its catalogue, and makes it the repository's head. */
import type { BlockId, EntryCounts, RepositoryRecord, SnapshotRecord } from '../../core/model.ts';
import { decodeNamedNode } from '../../dag/dag-pb.ts';
import { buildSnapshot, snapshotFile } from '../../snapshot/snapshot.ts';
import { commitSnapshot } from '../../storing/new-head.ts';
import { catalogueLabel } from '../../storing/place/labels.ts';
import { placeCatalogue } from '../../storing/place-catalogue.ts';
import type { ImportCarRun } from './run.ts';

interface Committed {
  readonly record: RepositoryRecord;
  readonly parent: SnapshotRecord | undefined;
  readonly root: BlockId;
  /** The block of `root`. */
  readonly treeBlock: Buffer;
  /** Numbers of the shards that hold the tree. */
  readonly shards: readonly number[];
  readonly counts: EntryCounts;
  readonly bytes: number;
  /** CID of the tree, in the version that the CAR gives it. */
  readonly tree: string;
  /** Peers that the catalogue goes to. */
  readonly peerNames: readonly string[];
}

export async function commitTree(run: ImportCarRun, it: Committed): Promise<SnapshotRecord> {
  const { index, repository } = run;
  const { record, parent, root, treeBlock, shards, counts, bytes, tree, peerNames } = it;
  const number = (parent?.number ?? 0) + 1;
  const { profile, metadata } = record;
  const time = new Date(run.now()).toISOString();
  const tool = `shardctl ${run.toolVersion}`;
  const file = snapshotFile({ repository, time, parent: parent?.cid ?? null, profile, metadata, counts, bytes, tool });
  const links = shards.map((shard) => {
    const known = index.shard(shard);
    if (known === undefined) throw new Error(`shard ${shard} is not in the index`);
    return known;
  });
  const dagSize = decodeNamedNode(treeBlock).links.reduce((sum, link) => sum + link.dagSize, treeBlock.length);
  const built = buildSnapshot(file, links, { codec: root.codec, digest: root.digest, dagSize }, treeBlock);
  const catalogue = await placeCatalogue(run, { label: catalogueLabel(repository, number), blocks: built.blocks, peerNames });
  const snapshot: SnapshotRecord = {
    repository,
    number,
    cid: built.cid,
    tree,
    parent: file.parent,
    time,
    counts,
    bytes,
    shards,
    catalogue,
    profile,
    metadata,
    tool,
    broughtBy: 'import-car',
  };
  // One that the gate holds back is older than this now.
  const { held: _, ...others } = record;
  await commitSnapshot(run, { ...others, head: number }, snapshot);
  return snapshot;
}
