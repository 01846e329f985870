/**
 * `prune`: frees the space of what no retained snapshot needs, of any repository.
 *
 *   what is live → plan → second look → repack → new snapshot directories → one transaction → heads → peers → records → surplus
 *
 * Before the transaction nothing is removed; after it, only what no record names any more. A run that dies anywhere leaves at most new
 * shards that no snapshot names: they were noted as strays before they were put on peers, so the next prune finds and removes them.
 */

import type { DigestMap } from '../../core/digest-map.ts';
import { ShardctlError } from '../../core/errors.ts';
import { warnings } from '../../core/events.ts';
import type { ShardRecord, SnapshotRecord, Stray } from '../../core/model.ts';
import { parseCid } from '../../dag/cid.ts';
import { NotUnixFs } from '../../dag/protobuf-reader.ts';
import type { Index } from '../../index/index.ts';
import { type BlockSource, UnlistedBlock } from '../../read/blocks/block-source.ts';
import { placedBlocks } from '../../read/blocks/placed-blocks.ts';
import { contentsOn } from '../../read/blocks/shard-contents.ts';
import { liveBlocks, type ShardUse, useOf } from '../../read/tree/reachable.ts';
import { Ledger } from '../../storing/allocate/ledger.ts';
import type { Surplus } from '../../storing/copy/let-go.ts';
import { type Holding, holdingsOf } from '../../storing/holdings.ts';
import { inventoriesOf } from '../../storing/peer-inventory.ts';
import { pinHeads, unpinFormer } from '../../storing/pin-heads.ts';
import { emptySpool } from '../../storing/spool.ts';
import type { Maintenance } from '../maintenance.ts';
import { countSurplus, findSurplus, letGoOf, type SurplusGone } from '../move/surplus.ts';
import { rewriteSnapshot } from '../rewrite-snapshot.ts';
import { liveLossOf } from './live-loss.ts';
import { type PruneLimits, type PrunePlan, planPrune } from './plan.ts';
import { refreshHeads } from './refresh-heads.ts';
import { removeUnneeded } from './remove-unneeded.ts';
import { type Repacked, repack } from './repack.ts';
import { assertCopied, assertKept, type Leaving, type ToCopy } from './second-look.ts';

export interface PruneOptions extends PruneLimits {
  /** Copies may use the peers' reserves, because right afterwards more is removed than was copied. */
  readonly intoReserve?: boolean;
  /** Only say what would be done. */
  readonly dryRun: boolean;
  /** In a dry run: names of repositories that are taken to be gone. */
  readonly without?: readonly string[];
  /** Leave replicas over the most that is asked for. */
  readonly keepSurplus?: boolean;
}

export interface Pruned {
  readonly dryRun: boolean;
  /** Shards that are dead or were repacked. */
  readonly removedShards: number;
  /** Catalogues of forgotten snapshots, and leftovers of runs that died. */
  readonly removedStrays: number;
  /** Blocks of the removed shards that were not copied. */
  readonly freedBlocks: number;
  /** Bytes freed, counted once however many replicas there were, less what was copied. */
  readonly freedBytes: number;
  readonly repackedShards: number;
  /** Bytes of blocks that are, or are to be, copied. */
  readonly repackedBytes: number;
  /** Shards that these were copied to; in a dry run as many as their bytes fill. */
  readonly newShards: number;
  /** Snapshots that got a new directory, and so a new CID. */
  readonly rewrittenSnapshots: number;
  /** Unused bytes in the shards that stay. */
  readonly unusedBytes: number;
  /** Copies of shards that stay, let go of because they were over the most that is asked for, and their bytes. */
  readonly surplus: number;
  readonly surplusBytes: number;
  /** Shards and strays that stay because a peer does not answer; the next prune tries again. */
  readonly left: number;
  /** Copies that peers keep because other homes count on them. */
  readonly kept: number;
}

/** @throws ShardctlError `DAMAGE` when a tree cannot be read whole, or would not be whole any more: nothing is removed then */
export async function prune(run: Maintenance, options: PruneOptions): Promise<Pruned> {
  const { index, peers } = run;
  const blocks = placedBlocks(index, peers, {
    onTrouble: warnings(run.emit),
    signal: run.signal,
  });
  try {
    const { snapshots, strays } = stateOf(index, options);
    const live = await liveBlocks(
      snapshots.map(({ tree }) => parseCid(tree)),
      { ...run, blocks },
    ).catch(async (error: unknown) => {
      // A block that a tree lacks is no reason to stop here: the second look says which snapshot lacks it.
      if (error instanceof NotUnixFs)
        throw new NotUnixFs(`nothing is freed: ${error.message}`, '`shardctl verify` says whose tree that is in, and what helps');
      if (error instanceof UnlistedBlock) await assertKept(run, snapshots, NONE_LEAVING, blocks);
      throw error;
    });
    const uses = await usesOf(run, snapshots, live);
    const plan = planPrune({ shards: index.shards(), snapshots, strays, uses }, options);
    const leaving: Leaving = {
      dead: new Set(plan.dead.map(({ number }) => number)),
      thin: new Set(plan.repack.map(({ shard }) => shard.number)),
    };
    const toCopy = await assertKept(run, snapshots, leaving, blocks);
    const affected = snapshots.filter(({ shards }) => shards.some((number) => leaving.dead.has(number) || leaving.thin.has(number)));
    const surplus = options.keepSurplus === true ? [] : await surplusOf(run, leaving);
    if (options.dryRun) {
      const outcome = { left: 0, kept: 0, surplus: countSurplus(surplus) };
      return report(plan, { dryRun: true, rewritten: affected.length, repacked: undefined, shardBytes: run.shardBytes, ...outcome });
    }

    emptySpool(run.spool);
    const intoReserve = options.intoReserve === true;
    const repacked =
      affected.length === 0 ? undefined : await replaceShards(run, { plan, live, leaving, toCopy, affected, blocks, intoReserve });
    await blocks.close();
    refreshHeads(run);
    await pinHeads(run);
    const silent = await unpinFormer(run);
    const removal = await removeUnneeded(run, live, silent);
    const gone = await letGoOf(run, surplus);
    return report(plan, { dryRun: false, shardBytes: run.shardBytes, rewritten: affected.length, repacked, ...removal, surplus: gone });
  } finally {
    await blocks.close();
  }
}

/** Of what stays: the rest goes from all peers. */
async function surplusOf(run: Maintenance, { dead, thin }: Leaving): Promise<Surplus[]> {
  const isStaying = ({ shards }: Holding) => shards.some((number) => !dead.has(number) && !thin.has(number));
  return await findSurplus(run, holdingsOf(run.index).filter(isStaying), await inventoriesOf(run.peers));
}

/** The snapshots that stay, and the strays on the peers. */
function stateOf(index: Index, { without = [] }: PruneOptions): { readonly snapshots: SnapshotRecord[]; readonly strays: Stray[] } {
  const all = index.repositories().flatMap(({ name }) => index.snapshots(name));
  const gone = all.filter(({ repository }) => without.includes(repository));
  return {
    snapshots: all.filter((snapshot) => !gone.includes(snapshot)),
    strays: [...index.strays(), ...gone.map(({ catalogue: { cid, peers } }) => ({ cid, peers }))],
  };
}

const NONE_LEAVING: Leaving = { dead: new Set(), thin: new Set() };

/** How much of each shard that a snapshot names is in use. */
async function usesOf(
  { index, peers, emit, signal }: Maintenance,
  snapshots: readonly SnapshotRecord[],
  live: DigestMap,
): Promise<ShardUse[]> {
  // Grows by shards that have what is lost of others.
  const numbers = new Set(snapshots.flatMap(({ shards }) => shards).sort((a, b) => a - b));
  const uses: ShardUse[] = [];
  for (const number of numbers) {
    signal.throwIfAborted();
    const shard = index.shard(number);
    if (shard === undefined || shard.state === 'lost') throw unsound(number);
    const { nowhere, elsewhere } = liveLossOf(shard, index, live);
    for (const other of elsewhere) numbers.add(other);
    if (nowhere > 0)
      emit({ type: 'warning', message: `${nowhere} blocks of shard ${number} are lost: it stays as it is`, hint: LOST_HINT });
    uses.push({ ...useOf(shard, await contentsOn(shard, peers), live), lostBlocks: nowhere });
    emit({ type: 'progress', label: 'measuring shards', done: uses.length, total: numbers.size, bytes: 0 });
  }
  return uses;
}

const LOST_HINT = '`shardctl add` the source again, then `shardctl repair`';

interface Replacing {
  readonly plan: PrunePlan;
  readonly live: DigestMap;
  readonly leaving: Leaving;
  readonly toCopy: ToCopy;
  /** Snapshots that name a leaving shard. */
  readonly affected: readonly SnapshotRecord[];
  readonly blocks: BlockSource;
  readonly intoReserve: boolean;
}

async function replaceShards(
  run: Maintenance,
  { plan, live, leaving, toCopy, affected, blocks, intoReserve }: Replacing,
): Promise<Repacked> {
  const demand = run.demands.lastingOf(affected.map(({ repository }) => repository));
  const ledger = await Ledger.open({ ...run, ...demand, intoReserve });
  const gone = new Set([...leaving.dead, ...leaving.thin]);
  const repacked = await repack(run, { thin: plan.repack, live, leaving: gone, blocks, ledger, replication: demand.replication });
  const after = new Map<SnapshotRecord, readonly number[]>();
  for (const snapshot of affected) {
    const shards = new Set<number>();
    for (const number of snapshot.shards) {
      if (!gone.has(number)) shards.add(number);
      for (const target of repacked.targets.get(number) ?? []) shards.add(target);
    }
    after.set(
      snapshot,
      [...shards].sort((a, b) => a - b),
    );
  }
  assertCopied(run, toCopy, after, leaving);
  const rewritten: SnapshotRecord[] = [];
  for (const [snapshot, shards] of after) {
    run.signal.throwIfAborted();
    rewritten.push(await rewriteSnapshot(run, snapshot, shards, [...ledger.freeBytes().keys()]));
  }
  await run.index.replaceSnapshots(rewritten, gone);
  return repacked;
}

interface Outcome {
  readonly dryRun: boolean;
  readonly rewritten: number;
  readonly repacked: Repacked | undefined;
  /** Bytes of a shard, for a dry run. */
  readonly shardBytes: number;
  readonly left: number;
  readonly kept: number;
  readonly surplus: SurplusGone;
}

function report(
  { dead, repack: thin, strays, unusedBytes, needed }: PrunePlan,
  { dryRun, rewritten, repacked, shardBytes, left, kept, surplus }: Outcome,
): Pruned {
  // Two records may stand for one shard, when a run died between putting and recording it: its space counts once.
  const gone = new Map<string, ShardRecord>();
  for (const shard of dead) if (!needed.has(shard.cid)) gone.set(shard.cid, shard);
  for (const { shard } of thin) gone.set(shard.cid, shard);
  const sum = (values: Iterable<number>) => [...values].reduce((total, value) => total + value, 0);
  const copied = { blocks: sum(thin.map(({ usedBlocks }) => usedBlocks)), bytes: sum(thin.map(({ usedBytes }) => usedBytes)) };
  return {
    dryRun,
    removedShards: gone.size,
    removedStrays: strays.length,
    freedBlocks: sum([...gone.values()].map(({ blocks }) => blocks)) - copied.blocks,
    freedBytes: sum([...gone.values()].map(({ bytes }) => bytes)) - copied.bytes,
    repackedShards: thin.length,
    repackedBytes: repacked?.copiedBytes ?? copied.bytes,
    newShards: repacked?.newShards.length ?? Math.ceil(copied.bytes / shardBytes),
    rewrittenSnapshots: rewritten,
    unusedBytes,
    surplus: surplus.replicas,
    surplusBytes: surplus.bytes,
    left: left + surplus.left,
    kept: kept + surplus.kept,
  };
}

function unsound(number: number): ShardctlError {
  return new ShardctlError('DAMAGE', `shard ${number}, which a snapshot names, is not whole: nothing is removed`, {
    hint: 'run `shardctl repair`; what stays lost comes back with `shardctl add` of the source and another repair, or goes with the snapshots: `shardctl forget`',
  });
}
