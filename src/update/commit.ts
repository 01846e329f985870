/**
 * commit — the end of the pipeline: the gate judges the tree, the catalogue goes to every peer, then the snapshot and the head change in
 * one transaction. Before it nothing that the head names has changed; after it everything that the head names is on its peers. Of a tree
 * that the gate holds back there is a snapshot, and the head stays.
 */
import { ShardctlError } from '../core/errors.ts';
import type { GateOrder } from '../core/gate.ts';
import { isHeld, type ShardRecord, type SnapshotRecord } from '../core/model.ts';
import type { Judgement } from '../core/verdict.ts';
import { cidText } from '../dag/cid.ts';
import { buildSnapshot, snapshotFile } from '../snapshot/snapshot.ts';
import type { Ledger } from '../storing/allocate/ledger.ts';
import { raise } from '../storing/copy/raise.ts';
import { commitSnapshot } from '../storing/new-head.ts';
import { catalogueLabel } from '../storing/place/labels.ts';
import { placeCatalogue } from '../storing/place-catalogue.ts';
import type { ShardSink } from '../storing/shard-sink.ts';
import type { UsableShards } from '../storing/usable-shards.ts';
import type { ChangesSinceParent } from './changes-since-parent.ts';
import type { FreshBlocks } from './fresh-blocks.ts';
import type { IngestRun } from './ingest-run.ts';
import type { Pending } from './interrupted-runs.ts';
import type { Tree } from './link/link.ts';
import type { Parent } from './parent.ts';
import { repositoryRecord } from './repository-record.ts';
import type { Recorded } from './summary.ts';
import type { Tally } from './tally.ts';
import { tellJudgement } from './tell-judgement.ts';

export interface Commit {
  readonly run: IngestRun;
  readonly parent: Parent | undefined;
  readonly number: number;
  readonly tree: Tree;
  readonly tally: Tally;
  /** Since the parent; there where the gate is to judge, and the source was compared with the parent. */
  readonly changes: ChangesSinceParent | undefined;
  readonly fresh: FreshBlocks | undefined;
  readonly packed: ShardSink['packed'];
  readonly ledger: Ledger;
  readonly usableShards: UsableShards;
  readonly pending: Pending;
}

export async function commit(it: Commit): Promise<Recorded> {
  const { run, parent, number, tree, tally } = it;
  const { request, home, control } = run;
  const { index } = home;
  const { repository, profile, metadata, allocateBy, ownDemand } = request;
  const { replication } = it.ledger;
  const time = new Date(control.now()).toISOString();
  const counts = { files: tally.files, directories: tally.directories, symlinks: tally.symlinks };
  const file = snapshotFile({
    repository,
    time,
    parent: parent?.snapshot.cid ?? null,
    profile: profile.name,
    metadata,
    counts,
    bytes: tally.bytes,
    tool: `shardctl ${control.toolVersion}`,
  });
  const shards = shardsOf(it);
  const links = shards.map((shard) => {
    const record = index.shard(shard);
    if (record === undefined) throw new Error(`shard ${shard} is not in the index`);
    return record;
  });
  const gate = request.gate && (await judged(it, request.gate));
  await assertThere(it, links);
  const unreadableShards = await raise({ ...home, ...control, repository, replication, allocateBy, ownDemand }, it, links);
  const built = buildSnapshot(file, links, tree.root, tree.block);
  const peerNames = [...it.ledger.freeBytes().keys()];
  const catalogue = await placeCatalogue(
    { ...home, ...control, replication },
    { label: catalogueLabel(repository, number), blocks: built.blocks, peerNames },
  );
  const snapshot: SnapshotRecord = {
    repository,
    number,
    cid: built.cid,
    tree: cidText(tree.root, profile.cidVersion),
    parent: file.parent,
    time,
    counts,
    bytes: tally.bytes,
    shards,
    catalogue,
    profile: profile.name,
    metadata,
    tool: file.tool,
    ...(gate === undefined ? {} : { gate }),
  };
  const head = isHeld(snapshot) ? (index.repository(repository)?.head ?? 0) : number;
  await commitSnapshot(
    { ...home, emit: control.emit, silent: it.ledger.silent() },
    repositoryRecord(request, index, head, number),
    snapshot,
  );
  tellJudgement(control.emit, snapshot, head, parent?.snapshot);
  return { snapshot, unreadableShards };
}

/** What the gate says of the tree. One that has no name of an index is not opened. */
async function judged({ run, parent, number, tree, tally, changes, fresh }: Commit, gate: GateOrder): Promise<Judgement> {
  const { hasIndexNames, NOTHING_TO_JUDGE } = await import('./index-names.ts');
  const named = await hasIndexNames({ run, gate, parent: parent?.snapshot, number, hasNew: tally.hasNewIndexName });
  if (named === false && !gate.isByName) return { ...NOTHING_TO_JUDGE, by: gate.by };
  const { judgementOf } = await import('./judgement.ts');
  // Where this run goes on with what another has left, or files could not be read or changed under its hands, the stored trees are compared.
  const { unreadable, vanished, changed } = tally.problems;
  const isPlain = tally.resumedFiles + unreadable + vanished + changed === 0;
  const since = parent !== undefined && isPlain ? { parent: parent.snapshot, changes: changes?.all, fresh } : undefined;
  return { ...(await judgementOf(run, gate, tree.root, since)), ...(named === undefined ? {} : { hasIndexNames: named }) };
}

/**
 * Asks again those peers that have failed since this run placed shards there.
 * @throws ShardctlError `TOO_FEW_PEERS` when a shard that the head would name is on no peer any more
 */
async function assertThere({ ledger, usableShards }: Commit, shards: readonly ShardRecord[]): Promise<void> {
  await usableShards.askAgain([...ledger.failed(), ...ledger.silent().keys()]);
  const gone = shards.filter((shard) => usableShards.holdersOf(shard).length === 0).map(({ number }) => number);
  if (gone.length === 0) return;
  const where = usableShards.silentOf(gone);
  const why = where.length === 0 ? 'are on no peer any more' : `are only on ${where.join(', ')}, which cannot be reached any more`;
  throw new ShardctlError('TOO_FEW_PEERS', `${gone.length} of ${shards.length} shards ${why}`, {
    hint: 'run the same command again: it goes on where it stopped, and stores elsewhere what cannot be reached',
  });
}

/** The shards that the snapshot names: the parent's, if its entries were used, the new ones, and older ones in which blocks were found again. */
function shardsOf({ parent, packed, pending }: Commit): number[] {
  const inherited = parent?.entries === undefined ? [] : parent.snapshot.shards;
  return [...new Set([...inherited, ...packed.reusedShards, ...pending.shards, ...packed.sealed])].sort((a, b) => a - b);
}
