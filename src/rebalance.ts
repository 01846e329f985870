/**
 * `rebalance`: after a peer has joined, or rules or weights have changed, each peer gets its share of what this home has,
 * with as little movement as does; and a copy of each catalogue.
 *
 *   holdings → plan → copy → confirm → record → remove
 */
import { allocatorsOf, RESERVE_BYTES } from './allocate/allocators.ts';
import { Ledger } from './allocate/ledger.ts';
import { compared, planned } from './drain.ts';
import { heldBy } from './held.ts';
import { balance } from './move/balance.ts';
import { type Holding, heldBytes, holdingsOf } from './move/holdings.ts';
import { Mover, type PlannedMove } from './move/mover.ts';
import type { Moved, MoveRun } from './move/run.ts';
import { pinHeads } from './pin-heads.ts';
import { emptySpool } from './spool.ts';

/** @throws ShardctlError `TOO_FEW_PEERS` when fewer peers answer than a shard needs */
export async function rebalance(run: MoveRun): Promise<Moved> {
  const { index, peers, demands, dryRun } = run;
  const held = await heldBy(peers);
  const all = demands.of(index.repositories().map(({ name }) => name));
  const allocateBy = (holding: Holding) => demands.ofUsers(holding).allocateBy;
  const ledger = await Ledger.open({ ...run, ...all });
  const holdings = holdingsOf(index);
  const confirmed = (holding: Holding) => holding.peers.filter((name) => held.get(name)?.has(holding.cid));
  const free = new Map([...ledger.freeBytes()].filter(([name]) => held.has(name)));
  const moves = balance({
    holdings,
    confirmed,
    peers: [...free].map(([name, freeBytes]) => {
      const { tags = {}, reserve = 0, weight = 1 } = peers.get(name) ?? {};
      return { name, tags, weight, room: freeBytes - Math.max(RESERVE_BYTES, reserve) };
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
  const before = heldBytes(holdings, ({ peers: holders }) => holders);
  if (dryRun) return planned([...moves, ...copies], before);

  emptySpool(run.spool);
  const mover = new Mover(run, ledger);
  for (const { holding, to } of [...moves, ...copies]) if (to !== undefined) ledger.promise(to, holding.carBytes);
  await mover.moveAll([...moves, ...copies]);
  await pinHeads(run);
  const after = heldBytes(holdingsOf(index), ({ peers: holders }) => holders);
  return { dryRun, ...mover.counts, peers: compared(before, after) };
}
