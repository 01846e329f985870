/**
 * Plans which shards to move so that each peer has its share. It moves as few bytes as possible, and no replica to a peer that the
 * allocators' rules exclude. Reads and writes nothing: `rebalance -n` prints the plan that a run then carries out.
 */
import { allocatorsOf, spreadTags } from '../../storing/allocate/allocators.ts';
import type { Holding } from '../../storing/holdings.ts';

export interface BalancedPeer {
  readonly name: string;
  readonly tags: Readonly<Record<string, string>>;
  /** How many bytes the peer can still take. */
  readonly room: number;
  readonly weight: number;
}

export interface BalanceRequest {
  readonly holdings: readonly Holding[];
  /** The peers that say they hold each holding. */
  readonly confirmed: (holding: Holding) => readonly string[];
  /** Peers that take part: those that answer and are not being drained. */
  readonly peers: readonly BalancedPeer[];
  /** Names of the allocators that a holding goes by. */
  readonly allocateBy: (holding: Holding) => readonly string[];
  /** Whether shares are in proportion to the peers' weights instead of their space. */
  readonly byWeight: boolean;
}

export interface BalanceMove {
  readonly holding: Holding;
  readonly from: string;
  readonly to: string;
}

interface PeerLoad extends BalancedPeer {
  /** Bytes of this home on the peer, with the moves planned so far. */
  used: number;
  /** Bytes that the moves planned so far bring to it. */
  taken: number;
  readonly target: number;
}

export function balance(request: BalanceRequest): BalanceMove[] {
  const shards = request.holdings.filter(({ isCatalogue }) => !isCatalogue);
  const first = new Map(shards.map((holding) => [holding, [...request.confirmed(holding)]]));
  const holders = new Map(first);
  const rules = rulesOf(shards, request.allocateBy);
  const loads = loadsOf(request, holders, rules);
  const byName = new Map(loads.map((load) => [load.name, load]));
  const tagOf = (name: string, tag: string) => byName.get(name)?.tags[tag];
  /** Different values of each tag among the holders: what a move must not make fewer. */
  const spreadOf = (holding: Holding, names: readonly string[]) =>
    (rules.get(holding) as Rules).tags.map((tag) => new Set(names.map((name) => tagOf(name, tag))).size);
  let moves = 0;

  const mayTake = (to: PeerLoad, holding: Holding) =>
    !(holders.get(holding) as string[]).includes(to.name) &&
    // A replica that is missing, or on a peer that does not answer, is left to `repair`.
    (first.get(holding)?.includes(to.name) === true || !holding.peers.includes(to.name)) &&
    to.room - to.taken >= holding.carBytes &&
    mayHold(rules.get(holding) as Rules, to.name);
  const after = (holding: Holding, from: string, to: string) =>
    (holders.get(holding) as string[]).map((name) => (name === from ? to : name));
  const move = (holding: Holding, from: PeerLoad, to: PeerLoad) => {
    holders.set(holding, after(holding, from.name, to.name));
    from.used -= holding.carBytes;
    to.used += holding.carBytes;
    to.taken += holding.carBytes;
    moves++;
  };
  const emptiest = (candidates: PeerLoad[]) => candidates.sort((a, b) => a.used / a.target - b.used / b.target)[0];

  // First the rules: a replica moves out of a zone that has several into one that has none.
  for (const holding of shards) {
    for (const from of (rules.get(holding) as Rules).tags.length > 0 ? loads : []) {
      const names = holders.get(holding) as string[];
      if (!names.includes(from.name)) continue;
      const spread = spreadOf(holding, names);
      const better = (to: PeerLoad) => compareSpread(spreadOf(holding, after(holding, from.name, to.name)), spread) > 0;
      const to = emptiest(loads.filter((it) => mayTake(it, holding) && better(it)));
      if (to !== undefined) move(holding, from, to);
    }
  }

  const even = (closer: (from: PeerLoad, to: PeerLoad, bytes: number) => boolean) => {
    for (const from of loads.toSorted((a, b) => b.used / b.target - a.used / a.target)) {
      for (const holding of shards) {
        const names = holders.get(holding) as string[];
        const open = names.includes(from.name) ? loads.filter((to) => closer(from, to, holding.carBytes) && mayTake(to, holding)) : [];
        if (open.length === 0) continue;
        const spread = spreadOf(holding, names);
        const to = emptiest(open.filter((it) => compareSpread(spreadOf(holding, after(holding, from.name, it.name)), spread) >= 0));
        if (to !== undefined) move(holding, from, to);
      }
    }
  };
  // Then the shares: from a peer that has too much to one that has too little, as long as both come closer to their shares.
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

/** Joins the moves of one replica: one that was planned twice becomes a single move, and one that would come back is dropped. */
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

/** Where a holding may be, by its allocators. */
interface Rules {
  /** Tags over which its replicas are spread. */
  readonly tags: readonly string[];
  /** Lists of peers (`pinned-to`): only a peer in each of them may have it. */
  readonly only: readonly (readonly string[])[];
}

function mayHold({ only }: Rules, peer: string): boolean {
  return only.every((names) => names.includes(peer));
}

/** Those of few repositories stand for many shards. */
function rulesOf(shards: readonly Holding[], allocateBy: BalanceRequest['allocateBy']): ReadonlyMap<Holding, Rules> {
  const known = new Map<string, Rules>();
  const of = (names: readonly string[]) => {
    const rules = known.get(names.join()) ?? {
      tags: spreadTags(names),
      only: allocatorsOf(names).flatMap((allocator) => (allocator.only === undefined ? [] : [allocator.only])),
    };
    known.set(names.join(), rules);
    return rules;
  };
  return new Map(shards.map((holding) => [holding, of(allocateBy(holding))]));
}

function loadsOf(
  { peers, byWeight }: BalanceRequest,
  holders: ReadonlyMap<Holding, readonly string[]>,
  rules: ReadonlyMap<Holding, Rules>,
): PeerLoad[] {
  const used = new Map<string, number>();
  for (const [{ carBytes }, names] of holders) for (const name of names) used.set(name, (used.get(name) ?? 0) + carBytes);
  const taking = peers.map((peer) => ({ ...peer, used: used.get(peer.name) ?? 0, taken: 0 }));
  const all = [...new Set(rules.values())];
  const shares = taking.map((peer) => {
    if (all.length > 0 && !all.some((some) => mayHold(some, peer.name))) return { peer, most: 0, weight: 0 };
    const most = peer.used + Math.max(0, peer.room);
    return { peer, most, weight: byWeight ? peer.weight : most };
  });
  const targets = shareOut(
    shares,
    taking.reduce((sum, peer) => sum + peer.used, 0),
  );
  return taking.map((peer, i) => ({ ...peer, target: targets[i] as number }));
}

/** Divides bytes in proportion to the weights. What a peer cannot take is divided among the others. */
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
