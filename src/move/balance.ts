/**
 * Which shards to move so that each peer has its share: as few bytes as do, and never a replica to a peer that the rules
 * of the allocators speak against. No reading, no writing: `rebalance -n` prints what a run then does.
 */
import { type Allocator, spreadTags } from '../allocate/allocators.ts';
import type { Holding } from './holdings.ts';

export interface BalancedPeer {
  readonly name: string;
  readonly tags: Readonly<Record<string, string>>;
  /** Bytes that it can still be given. */
  readonly room: number;
  readonly weight: number;
}

export interface BalanceRequest {
  readonly holdings: readonly Holding[];
  /** Who holds each of them, by their own word. */
  readonly confirmed: (holding: Holding) => readonly string[];
  /** Peers that take part: those that answer and are not being drained. */
  readonly peers: readonly BalancedPeer[];
  /** Names of allocators, and what they are. */
  readonly allocateBy: readonly string[];
  readonly allocators: readonly Allocator[];
}

export interface BalanceMove {
  readonly holding: Holding;
  readonly from: string;
  readonly to: string;
}

interface Standing extends BalancedPeer {
  /** Bytes that it has of this home, the moves so far counted. */
  used: number;
  /** Bytes that it was given by the moves so far. */
  taken: number;
  readonly target: number;
}

export function balance(request: BalanceRequest): BalanceMove[] {
  const shards = request.holdings.filter(({ isCatalogue }) => !isCatalogue);
  const holders = new Map(shards.map((holding) => [holding, [...request.confirmed(holding)]]));
  const standings = standingsOf(request, holders);
  const tags = spreadTags(request.allocateBy);
  const only = request.allocators.flatMap((allocator) => allocator.only ?? []);
  const byName = new Map(standings.map((standing) => [standing.name, standing]));
  const tagOf = (name: string, tag: string) => byName.get(name)?.tags[tag];
  /** Different values of each tag among the holders: what a move must not make fewer. */
  const spreadOf = (names: readonly string[]) => tags.map((tag) => new Set(names.map((name) => tagOf(name, tag))).size);
  const moves: BalanceMove[] = [];

  const mayTake = (to: Standing, holding: Holding) =>
    !(holders.get(holding) as string[]).includes(to.name) &&
    !holding.peers.includes(to.name) &&
    to.room - to.taken >= holding.carBytes &&
    (only.length === 0 || only.includes(to.name));
  const after = (holding: Holding, from: string, to: string) =>
    (holders.get(holding) as string[]).map((name) => (name === from ? to : name));
  const move = (holding: Holding, from: Standing, to: Standing) => {
    holders.set(holding, after(holding, from.name, to.name));
    from.used -= holding.carBytes;
    to.used += holding.carBytes;
    to.taken += holding.carBytes;
    moves.push({ holding, from: from.name, to: to.name });
  };
  const emptiest = (candidates: Standing[]) => candidates.sort((a, b) => a.used / a.target - b.used / b.target)[0];

  // What the rules ask for comes first: replicas together in one zone while another has none.
  for (const holding of tags.length > 0 ? shards : []) {
    for (const from of standings) {
      const names = holders.get(holding) as string[];
      if (!names.includes(from.name)) continue;
      const spread = spreadOf(names);
      const better = (to: Standing) => compareSpread(spreadOf(after(holding, from.name, to.name)), spread) > 0;
      const to = emptiest(standings.filter((it) => mayTake(it, holding) && better(it)));
      if (to !== undefined) move(holding, from, to);
    }
  }

  // Then the shares: from whoever has most too much to whoever has most too little, as long as both come closer to theirs.
  for (const from of standings.toSorted((a, b) => b.used - b.target - (a.used - a.target))) {
    for (const holding of shards) {
      if (from.used - from.target <= holding.carBytes / 2) continue;
      const names = holders.get(holding) as string[];
      if (!names.includes(from.name)) continue;
      const spread = spreadOf(names);
      const fits = (to: Standing) =>
        to.target - to.used > holding.carBytes / 2 &&
        mayTake(to, holding) &&
        compareSpread(spreadOf(after(holding, from.name, to.name)), spread) >= 0;
      const to = emptiest(standings.filter(fits));
      if (to !== undefined) move(holding, from, to);
    }
  }
  return joined(moves);
}

/** The first tag decides. */
function compareSpread(a: readonly number[], b: readonly number[]): number {
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return (a[i] as number) - (b[i] as number);
  return 0;
}

/** A replica that was moved twice moves once. */
function joined(moves: readonly BalanceMove[]): BalanceMove[] {
  const out: BalanceMove[] = [];
  for (const move of moves) {
    const before = out.findIndex(({ holding, to }) => holding === move.holding && to === move.from);
    if (before < 0) out.push(move);
    else out[before] = { ...move, from: (out[before] as BalanceMove).from };
  }
  return out.filter(({ from, to }) => from !== to);
}

function standingsOf({ peers, allocators }: BalanceRequest, holders: ReadonlyMap<Holding, readonly string[]>): Standing[] {
  const used = new Map<string, number>();
  for (const [{ carBytes }, names] of holders) for (const name of names) used.set(name, (used.get(name) ?? 0) + carBytes);
  const taking = peers.map((peer) => ({ ...peer, used: used.get(peer.name) ?? 0, taken: 0 }));
  const byWeight = allocators.find(({ kind }) => kind === 'share')?.byWeight === true;
  const only = allocators.flatMap((allocator) => allocator.only ?? []);
  const shares = taking.map((peer) => {
    if (only.length > 0 && !only.includes(peer.name)) return { peer, most: 0, weight: 0 };
    const most = peer.used + Math.max(0, peer.room);
    return { peer, most, weight: byWeight ? peer.weight : most };
  });
  const targets = shareOut(
    shares,
    taking.reduce((sum, peer) => sum + peer.used, 0),
  );
  return taking.map((peer, i) => ({ ...peer, target: targets[i] as number }));
}

/** Bytes in proportion to the weights, nobody more than it can take: what one cannot goes to the others. */
function shareOut(shares: readonly { most: number; weight: number }[], bytes: number): number[] {
  const targets = shares.map(() => 0);
  let open = shares.map((_, i) => i).filter((i) => (shares[i] as { weight: number }).weight > 0);
  let left = bytes;
  while (open.length > 0 && left > 0.5) {
    const weights = open.reduce((sum, i) => sum + (shares[i] as { weight: number }).weight, 0);
    const full = open.filter((i) => {
      const { most, weight } = shares[i] as { most: number; weight: number };
      return (left * weight) / weights >= most;
    });
    if (full.length === 0) {
      for (const i of open) targets[i] = (left * (shares[i] as { weight: number }).weight) / weights;
      break;
    }
    for (const i of full) {
      targets[i] = (shares[i] as { most: number }).most;
      left -= targets[i] as number;
    }
    open = open.filter((i) => !full.includes(i));
  }
  return targets;
}
