/**
 * `rebalance`: for when a peer has joined or come back, or rules or weights have changed. It lets go of surplus copies, moves as few shards
 * as possible until each peer has its share, and gives each peer a copy of every catalogue.
 *
 *   holdings → surplus → plan → let go → copy → confirm → record → remove
 */
import { ShardctlError } from '../../core/errors.ts';
import { allocatorsOf, RESERVE_BYTES } from '../../storing/allocate/allocators.ts';
import { Ledger } from '../../storing/allocate/ledger.ts';
import type { Surplus } from '../../storing/copy/let-go.ts';
import { Mover, type PlannedMove } from '../../storing/copy/mover.ts';
import { bytesByPeer, type Holding, holdingsOf } from '../../storing/holdings.ts';
import { inventoriesOf } from '../../storing/peer-inventory.ts';
import { pinHeads } from '../../storing/pin-heads.ts';
import { emptySpool } from '../../storing/spool.ts';
import { balance } from './balance.ts';
import { compared, planned } from './drain.ts';
import type { Moved, MoveRun } from './move-run.ts';
import { findSurplus, letGoOf } from './surplus.ts';

/** @throws ShardctlError `TOO_FEW_PEERS` when fewer peers answer than a shard needs */
export async function rebalance(run: MoveRun): Promise<Moved> {
  const { index, peers, demands, dryRun } = run;
  const held = await inventoriesOf(peers);
  refuseToMoveAround(
    run,
    [...peers.keys()].filter((name) => !held.has(name)),
  );
  const ledger = await Ledger.open({ ...run, ...demands.of(index.repositories().map(({ name }) => name)) });
  const before = holdingsOf(index);
  const surplus = await findSurplus(run, before, held);
  const moves = movesOf(run, ledger, { held, surplus, holdings: without(surplus, before) });
  const bytesBefore = bytesByPeer(before, ({ peers: holders }) => holders);
  if (dryRun) {
    const gone = surplus.map(({ holding, from }) => ({ holding, from, to: undefined }));
    return planned([...gone, ...moves], bytesBefore, surplus.length);
  }

  emptySpool(run.spool);
  const letGo = await letGoOf(run, surplus);
  const mover = new Mover(run, ledger);
  const now = new Map(holdingsOf(index).map(({ cid, peers: holders }) => [cid, holders]));
  // A holding of which a surplus copy could not be removed is not moved in this run: the plan is made of the others.
  const open = moves.filter(({ holding }) => now.get(holding.cid)?.length === holding.peers.length);
  for (const { holding, to } of open) if (to !== undefined) ledger.promise(to, holding.carBytes);
  await mover.moveAll(open);
  await pinHeads(run);
  const after = bytesByPeer(holdingsOf(index), ({ peers: holders }) => holders);
  const { removed, removedBytes, kept, left, ...counts } = mover.counts;
  return {
    ...{ dryRun, ...counts, surplus: letGo.replicas },
    removed: removed + letGo.replicas,
    removedBytes: removedBytes + letGo.bytes,
    kept: kept + letGo.kept,
    left: left + letGo.left,
    peers: compared(bytesBefore, after),
  };
}

/** The shares of the peers that answer are larger than they will be when the others are back: what moves now would move back then. */
function refuseToMoveAround({ peers, grace }: MoveRun, silent: readonly string[]): void {
  grace?.note({ peers: [...peers.keys()], silent: new Set(silent) });
  for (const name of silent) {
    const until = grace?.until(name);
    if (until === undefined) continue;
    throw new ShardctlError('TOO_FEW_PEERS', `peer "${name}" does not answer, and is waited for until ${new Date(until).toISOString()}`, {
      hint: 'run it when the peer is back, or `shardctl rebalance --grace 0` to give its share to the others',
    });
  }
}

interface Known {
  readonly held: ReadonlyMap<string, ReadonlySet<string>>;
  readonly surplus: readonly Surplus[];
  /** As they are once the surplus is gone. */
  readonly holdings: readonly Holding[];
}

function movesOf({ index, peers, demands }: MoveRun, ledger: Ledger, { held, surplus, holdings }: Known): PlannedMove[] {
  const all = demands.of(index.repositories().map(({ name }) => name));
  const allocateBy = (holding: Holding) => demands.ofUsers(holding).allocateBy;
  const confirmed = (holding: Holding) => holding.peers.filter((name) => held.get(name)?.has(holding.cid));
  const free = new Map([...ledger.freeBytes()].filter(([name]) => held.has(name)));
  const freed = new Map<string, number>();
  for (const { holding, from } of surplus) freed.set(from, (freed.get(from) ?? 0) + holding.carBytes);
  const moves = balance({
    holdings,
    confirmed,
    peers: [...free].map(([name, freeBytes]) => {
      const { tags = {}, reserve = 0, weight = 1, reclaim } = peers.get(name) ?? {};
      // Where letting go frees space by itself; elsewhere that is there after a garbage collection.
      const soon = reclaim === undefined ? (freed.get(name) ?? 0) : 0;
      return { name, tags, weight, room: freeBytes + soon - Math.max(RESERVE_BYTES, reserve) };
    }),
    allocateBy,
    byWeight: allocatorsOf(all.allocateBy).find(({ kind }) => kind === 'share')?.byWeight === true,
  }).map(({ holding, from, to }): PlannedMove => ({ holding, confirmed: confirmed(holding), from, to, allocateBy: allocateBy(holding) }));
  const copies = holdings
    .filter(({ isCatalogue }) => isCatalogue)
    .flatMap((holding) => [...free.keys()].filter((name) => !holding.peers.includes(name)).map((to) => ({ holding, to })))
    .map(
      ({ holding, to }): PlannedMove => ({ holding, confirmed: confirmed(holding), from: undefined, to, allocateBy: allocateBy(holding) }),
    );
  return [...moves, ...copies];
}

function without(surplus: readonly Surplus[], holdings: readonly Holding[]): Holding[] {
  const gone = new Map<Holding, Set<string>>();
  for (const { holding, from } of surplus) gone.set(holding, (gone.get(holding) ?? new Set()).add(from));
  return holdings.map((holding) => {
    const from = gone.get(holding);
    return from === undefined ? holding : { ...holding, peers: holding.peers.filter((name) => !from.has(name)) };
  });
}
