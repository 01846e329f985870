/**
 * `peers drain`: moves everything that this home has on one peer to others. The peer gets nothing new; each of its shards first gets a
 * replica on another peer, unless enough others have it already.
 *
 *   holdings → plan → copy → confirm → record → remove
 */

import { shellWord } from '../../core/display.ts';
import { ShardctlError } from '../../core/errors.ts';
import { leastReplicas, mostReplicas } from '../../core/model.ts';
import { Ledger } from '../../storing/allocate/ledger.ts';
import { Mover, NOTHING_MOVED, type PlannedMove } from '../../storing/copy/mover.ts';
import { bytesByPeer, type Holding, holdingsOf } from '../../storing/holdings.ts';
import { inventoriesOf } from '../../storing/peer-inventory.ts';
import { pinHeads } from '../../storing/pin-heads.ts';
import { emptySpool } from '../../storing/spool.ts';
import type { Moved, MoveRun } from './move-run.ts';

/**
 * @param name a peer that is `drained`
 * @param onPlanned called when a place has been found for everything, before anything moves
 * @throws ShardctlError `TOO_FEW_PEERS` when it does not answer, or with `NO_SPACE` when its shards do not fit elsewhere: before anything is moved
 */
export async function drain(run: MoveRun, name: string, onPlanned: () => void = () => {}): Promise<Moved> {
  const { index, peers, dryRun } = run;
  let silence: ShardctlError | undefined;
  const held = await inventoriesOf(peers, (peer, error) => {
    if (peer === name) silence = error;
  });
  const holdings = holdingsOf(index);
  if (silence !== undefined) throw cannotBeDrained(name, silence, aloneOn(name, holdings, held));
  // Each shard is allocated by its own rules.
  const ledger = await Ledger.open({ ...run, ...run.demands.of([]), replication: { min: 1, max: 1 } });
  const moves = plan(run, name, { ledger, held, holdings });
  const before = bytesByPeer(holdings, ({ peers: holders }) => holders);
  if (dryRun) return planned(moves, before);

  onPlanned();
  emptySpool(run.spool);
  const mover = new Mover(run, ledger);
  await mover.moveAll(moves);
  await removeUnneeded(run, name, mover);
  await pinHeads(run);
  const after = bytesByPeer(holdingsOf(index), ({ peers: holders }) => holders);
  return { dryRun, ...mover.counts, surplus: 0, peers: compared(before, after) };
}

/** How many shards are on this peer, and on no other that answers. */
function aloneOn(name: string, holdings: readonly Holding[], held: ReadonlyMap<string, ReadonlySet<string>>): number {
  const isElsewhere = ({ cid, peers }: Holding) => peers.some((peer) => held.get(peer)?.has(cid));
  return holdings.filter((holding) => holding.peers.includes(name) && !isElsewhere(holding)).length;
}

function cannotBeDrained(name: string, { message }: ShardctlError, alone: number): ShardctlError {
  const hint =
    alone === 0
      ? `bring it back; if it is gone for good, say \`shardctl peers rm ${shellWord(name)} --force\` and then \`shardctl repair\``
      : `bring it back: ${alone} of its shards ${alone === 1 ? 'is' : 'are'} on no other peer that answers; \`shardctl status --at-risk\` lists what is at risk`;
  return new ShardctlError('TOO_FEW_PEERS', `peer ${name} cannot be drained: ${message}`, { hint });
}

interface Known {
  readonly ledger: Ledger;
  readonly held: ReadonlyMap<string, ReadonlySet<string>>;
  readonly holdings: readonly Holding[];
}

function plan({ peers, demands }: MoveRun, name: string, { ledger, held, holdings }: Known): PlannedMove[] {
  const homeless: Homeless[] = [];
  const moves: PlannedMove[] = [];
  for (const holding of holdings.filter((it) => it.peers.includes(name))) {
    const confirmed = holding.peers.filter((peer) => held.get(peer)?.has(holding.cid));
    const others = confirmed.filter((peer) => peer !== name);
    const { replication, allocateBy } = demands.ofUsers(holding);
    const [least, most] = [leastReplicas(replication, peers), mostReplicas(replication, peers)];
    let to: string | undefined;
    if (others.length < most) {
      try {
        const request = { cid: holding.cid, bytes: holding.carBytes, replication: { min: 1, max: 1 }, allocateBy };
        const holders = holding.peers.filter((peer) => peer !== name);
        to = ledger.allocate({ ...request, holders, except: new Set([name]) })[0];
      } catch (error) {
        if (!(error instanceof ShardctlError)) throw error;
        if (others.length < least) homeless.push({ error, least, others });
      }
    }
    moves.push({ holding, confirmed, from: name, to, allocateBy });
  }
  const [first] = homeless;
  if (first === undefined) return moves;
  throw noPlace(`${homeless.length} of ${moves.length} shards of peer ${name}`, first, [...ledger.silent().keys()]);
}

interface Homeless {
  readonly error: ShardctlError;
  /** Replicas that it must have, and the other peers that have one. */
  readonly least: number;
  readonly others: readonly string[];
}

/** @param what finds no place */
function noPlace(what: string, { error, least, others }: Homeless, silent: readonly string[]): ShardctlError {
  const demand = `each must be on ${least} peer${least === 1 ? '' : 's'}`;
  const elsewhere = others.length === 0 ? 'none of the others has it' : `without it there is ${others.join(', ')}`;
  if (error.code === 'NO_SPACE')
    return new ShardctlError('NO_SPACE', `${what} find no place: ${demand}, ${elsewhere}, and ${error.message}`, {
      hint: 'nothing was moved: free some space, or add a peer with `shardctl peers add`',
    });
  const notAnswering = silent.length === 0 ? '' : ` (not answering: ${silent.join(', ')})`;
  return new ShardctlError(
    error.code,
    `${what} find no place: ${demand}, ${elsewhere}, and no other peer may be given one${notAnswering}`,
    {
      hint: 'nothing was moved: add a peer with `shardctl peers add`, ask for fewer replicas with --replication, or see with `shardctl config` which rules of allocate-by let no other have them',
    },
  );
}

/** Removes from the peer what a run that died has left there, and what `prune` would remove: nothing of this home is to stay on it. */
async function removeUnneeded({ index }: MoveRun, name: string, mover: Mover): Promise<void> {
  const needed = new Set(holdingsOf(index).flatMap(({ cid, peers }) => (peers.includes(name) ? [cid] : [])));
  for (const { number, cid, peers, state } of [...index.shards()]) {
    if (state === 'sealed' && peers.includes(name)) {
      const others = peers.filter((peer) => peer !== name);
      await index.relocate(cid, { shards: [number], snapshots: [] }, others);
    }
  }
  for (const { cid, peers } of index.strays()) if (peers.includes(name) && !needed.has(cid)) await mover.removeStray(cid, name);
}

/** The report of a dry run. */
export function planned(
  moves: readonly Pick<PlannedMove, 'holding' | 'from' | 'to'>[],
  before: ReadonlyMap<string, number>,
  surplus = 0,
): Moved {
  const after = new Map(before);
  const counts = { ...NOTHING_MOVED, surplus };
  for (const { holding, from, to } of moves) {
    if (to !== undefined) {
      counts.copied++;
      counts.copiedBytes += holding.carBytes;
      after.set(to, (after.get(to) ?? 0) + holding.carBytes);
    }
    if (from !== undefined) {
      counts.removed++;
      counts.removedBytes += holding.carBytes;
      if (holding.peers.includes(from)) after.set(from, (after.get(from) ?? 0) - holding.carBytes);
    }
  }
  return { dryRun: true, ...counts, peers: compared(before, after) };
}

export function compared(before: ReadonlyMap<string, number>, after: ReadonlyMap<string, number>): Moved['peers'] {
  const names = [...new Set([...before.keys(), ...after.keys()])].sort();
  return names.map((name) => ({ name, before: before.get(name) ?? 0, after: after.get(name) ?? 0 }));
}
