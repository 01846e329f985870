/**
 * Makes more replicas of shards that were placed when fewer were asked for: before the commit of a snapshot that needs them
 * (docs/architecture.md, I2), or when a repository is told to have more of each shard. Only recorded replicas are counted: one that is
 * recorded and missing is for `repair` to mend, or an hourly update would copy a whole mirror because a disk is not mounted.
 */

import { ShardctlError } from '../../core/errors.ts';
import { leastReplicas, type PlacedShard, type ShardRecord } from '../../core/model.ts';
import type { Ledger } from '../allocate/ledger.ts';
import { type Asking, asksOtherwise, type Demand } from '../demand.ts';
import { type Holding, holdingsOf } from '../holdings.ts';
import type { UsableShards } from '../usable-shards.ts';
import type { MoverRun, PlannedMove } from './mover.ts';

/** The part of a run that raising needs. */
export type RaiseRun = MoverRun & Demand & Asking;

interface Known {
  readonly ledger: Ledger;
  readonly usableShards: UsableShards;
}

/**
 * Shards for which no peers are found are reported, and do not stop the commit: the head before it names the same shards, and without the
 * commit what is new in the source would have no copy at all.
 * @param shards that the head names, or is about to name
 * @returns how many of the shards that were to get more replicas have no whole copy that can be read
 */
export async function raise(run: RaiseRun, { ledger, usableShards }: Known, shards: readonly ShardRecord[]): Promise<number> {
  const { index, peers, emit } = run;
  const least = leastReplicas(run.replication, peers);
  const hasTooFew = (shard: PlacedShard) => recorded(run, shard) < least;
  // All shards of the repository, also those that only older snapshots need.
  const isAll = asksOtherwise(run);
  let unreadable = 0;
  if (isAll || shards.some(hasTooFew)) {
    const isMeant = isAll ? neededBy(run, shards) : among(shards);
    const lacking = holdingsOf(index).filter((holding) => isMeant(holding) && hasTooFew(holding));
    const copies = lacking.flatMap((holding) => copiesOf(run, { ledger, usableShards }, holding, least));
    const { Mover } = await import('./mover.ts');
    const mover = new Mover(run, ledger);
    await mover.moveAll(copies);
    const { copied, copiedBytes } = mover.counts;
    unreadable = mover.counts.unreadable;
    if (copied > 0) emit({ type: 'raised', replicas: copied, bytes: copiedBytes });
    const now = new Map(holdingsOf(index).map((holding) => [holding.cid, holding.peers]));
    for (const { cid, peers: before } of lacking)
      usableShards.placed({ cid, peers: (now.get(cid) ?? []).filter((name) => !before.includes(name)) });
  }
  const waited = ledger.waited();
  const left = shards.filter((shard) => {
    const known = index.shard(shard.number) ?? shard;
    return usableShards.holdersOf(known).length + known.peers.filter((name) => waited.has(name)).length < least;
  });
  if (left.length === 0) return unreadable;
  // People who hear of each cause once hear this in place of what was told of the silent peer.
  const [silence] = ledger.silent();
  const why = silence === undefined ? { cause: `too few peers for ${least} replicas` } : { peer: silence[0], cause: silence[1] };
  emit({
    type: 'warning',
    message: `${left.length} of ${shards.length} shards have fewer than ${least} replicas`,
    ...why,
    hint: 'bring back the peers that are missing, or set up others, and run `shardctl repair`',
  });
  return unreadable;
}

/** How many peers that are set up are recorded to have the shard. */
function recorded({ peers }: RaiseRun, shard: PlacedShard): number {
  return shard.peers.filter((name) => peers.has(name)).length;
}

function among(shards: readonly PlacedShard[]): (holding: Holding) => boolean {
  const cids = new Set(shards.map(({ cid }) => cid));
  return ({ cid }) => cids.has(cid);
}

/** Tells these shards, and whatever else a retained snapshot of the repository needs. */
function neededBy({ index, repository }: RaiseRun, shards: readonly PlacedShard[]): (holding: Holding) => boolean {
  const isAmong = among(shards);
  const needed = new Set(index.snapshots(repository).flatMap((snapshot) => snapshot.shards));
  return (holding) =>
    isAmong(holding) ||
    holding.shards.some((number) => needed.has(number)) ||
    holding.snapshots.some(([repositoryOf]) => repositoryOf === repository);
}

function copiesOf(run: RaiseRun, { ledger, usableShards }: Known, holding: Holding, least: number): PlannedMove[] {
  const confirmed = usableShards.holdersOf(holding);
  const { cid, carBytes, peers } = holding;
  // Nothing is wrong with what lies on peers that do not answer: it cannot be copied now.
  const silent = ledger.silent();
  if (confirmed.length === 0 && peers.some((name) => silent.has(name))) return [];
  const replication = { min: 1, max: least - recorded(run, holding) };
  try {
    const names = ledger.allocate({ cid, bytes: carBytes, replication, holders: peers });
    return names.map((to) => ({ holding, confirmed, from: undefined, to, allocateBy: run.allocateBy }));
  } catch (error) {
    if (!(error instanceof ShardctlError)) throw error;
    return [];
  }
}
