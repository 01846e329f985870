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
  const first = new Map(shards.map((holding) => [holding, [...request.confirmed(holding)]]));
  const holders = new Map(first);
  const standings = standingsOf(request, holders);
  const tags = spreadTags(request.allocateBy);
  const only = request.allocators.flatMap((allocator) => allocator.only ?? []);
  const byName = new Map(standings.map((standing) => [standing.name, standing]));
  const tagOf = (name: string, tag: string) => byName.get(name)?.tags[tag];
  /** Different values of each tag among the holders: what a move must not make fewer. */
  const spreadOf = (names: readonly string[]) => tags.map((tag) => new Set(names.map((name) => tagOf(name, tag))).size);
  let moves = 0;

  const mayTake = (to: Standing, holding: Holding) =>
    !(holders.get(holding) as string[]).includes(to.name) &&
    // Where it should be and is not, or nobody knows, is for `repair` to mend.
    (first.get(holding)?.includes(to.name) === true || !holding.peers.includes(to.name)) &&
    to.room - to.taken >= holding.carBytes &&
    (only.length === 0 || only.includes(to.name));
  const after = (holding: Holding, from: string, to: string) =>
    (holders.get(holding) as string[]).map((name) => (name === from ? to : name));
  const move = (holding: Holding, from: Standing, to: Standing) => {
    holders.set(holding, after(holding, from.name, to.name));
    from.used -= holding.carBytes;
    to.used += holding.carBytes;
    to.taken += holding.carBytes;
    moves++;
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

  const even = (closer: (from: Standing, to: Standing, bytes: number) => boolean) => {
    for (const from of standings.toSorted((a, b) => b.used / b.target - a.used / a.target)) {
      for (const holding of shards) {
        const names = holders.get(holding) as string[];
        const open = names.includes(from.name) ? standings.filter((to) => closer(from, to, holding.carBytes) && mayTake(to, holding)) : [];
        if (open.length === 0) continue;
        const spread = spreadOf(names);
        const to = emptiest(open.filter((it) => compareSpread(spreadOf(after(holding, from.name, it.name)), spread) >= 0));
        if (to !== undefined) move(holding, from, to);
      }
    }
  };
  // Then the shares: from whoever has too much to whoever has too little, as long as both come closer to theirs.
  even((from, to, bytes) => from.used - from.target > bytes / 2 && to.target - to.used > bytes / 2);
  // Where rules keep a zone from its share of the whole, its peers still share what is in it evenly.
  for (let before = -1; before !== moves; ) {
    before = moves;
    // The sum of used²/target falls with each such move: this ends.
    even((from, to, bytes) => to.target > 0 && (to.used + bytes / 2) / to.target < (from.used - bytes / 2) / from.target);
  }
  return differences(first, holders);
}

/** The first tag decides. */
function compareSpread(a: readonly number[], b: readonly number[]): number {
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return (a[i] as number) - (b[i] as number);
  return 0;
}

/** A replica that was moved twice moves once, and one that came back not at all. */
function differences(before: ReadonlyMap<Holding, readonly string[]>, after: ReadonlyMap<Holding, readonly string[]>): BalanceMove[] {
  const moves: BalanceMove[] = [];
  for (const [holding, names] of before) {
    const now = after.get(holding) ?? names;
    const gained = now.filter((name) => !names.includes(name));
    const lost = names.filter((name) => !now.includes(name));
    for (const [i, from] of lost.entries()) moves.push({ holding, from, to: gained[i] as string });
  }
  return moves;
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
