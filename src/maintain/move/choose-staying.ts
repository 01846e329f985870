/**
 * Of a shard that is on more peers than any repository asks for, decides which peers keep it and which let it go: those keep it that the
 * allocators would choose among them. Reads and writes nothing.
 */
import { type Allocator, allocatorsOf, type Candidate, roomOf } from '../../storing/allocate/allocators.ts';

/** A peer that answers and has the shard by its own word. */
export interface Replica extends Candidate {
  readonly usedBytes: number;
  readonly isDamaged: boolean;
  /** Whether another home counts on it. Then it stays there whatever this home does, and letting go of it frees nothing. */
  readonly isShared: boolean;
  /** Whether a record of this home names it. If not (its peer was removed as dead, and has come back), it does not count as a replica. */
  readonly isRecorded: boolean;
  /** Its peer is being drained. */
  readonly isDrained: boolean;
}

export interface StayRequest {
  readonly replicas: readonly Replica[];
  /** Replicas that it must have, and that it may have at most. */
  readonly least: number;
  readonly most: number;
  /** Names of the allocators that it goes by. */
  readonly allocateBy: readonly string[];
  /** The replica of this peer stays: it was read to its end, and none of the others can be. */
  readonly witness?: string | undefined;
}

export interface Stay {
  readonly stay: readonly Replica[];
  readonly go: readonly Replica[];
}

export function chooseStaying({ replicas, least, most, allocateBy, witness }: StayRequest): Stay {
  const all: Stay = { stay: replicas, go: [] };
  // There are too few good ones: `repair` mends that, and may need the other copies for it.
  if (replicas.length <= most || replicas.filter(counts).length < least) return all;
  const allocators = allocatorsOf(allocateBy);
  const stay = replicas.filter(({ name, isShared }) => isShared || name === witness);
  let open = replicas.filter((replica) => !stay.includes(replica));
  while (open.length > 0 && (stay.length < most || stay.filter(counts).length < least)) {
    const best = open.map((replica) => ({ replica, ranks: ranksOf(replica, stay, allocators) })).sort(byRanks)[0]?.replica as Replica;
    stay.push(best);
    open = open.filter((replica) => replica !== best);
  }
  return { stay, go: open };
}

/** Whether it counts as one of the replicas that the shard must have. */
function counts({ isDamaged, isRecorded }: Replica): boolean {
  return isRecorded && !isDamaged;
}

/** Lower is better, and the first that differs decides. */
function ranksOf(replica: Replica, chosen: readonly Replica[], allocators: readonly Allocator[]): number[] {
  const rules = allocators.filter(({ kind }) => kind === 'rule');
  const mayNot = rules.some(({ only }) => only?.includes(replica.name) === false);
  return [
    Number(replica.isDamaged),
    Number(!replica.isRecorded),
    Number(replica.isDrained),
    Number(mayNot),
    ...rules.map(({ rank }) => rank(replica, 0, chosen)),
    fullness(replica, allocators.find(({ kind }) => kind === 'share')?.byWeight === true),
  ];
}

/** How full a peer is, as a part of what it may hold. */
function fullness(replica: Replica, byWeight: boolean): number {
  const { usedBytes, weight } = replica;
  return usedBytes / Math.max(Number.MIN_VALUE, byWeight ? weight : usedBytes + Math.max(0, roomOf(replica)));
}

interface Ranked {
  readonly replica: Replica;
  readonly ranks: readonly number[];
}

function byRanks(a: Ranked, b: Ranked): number {
  const at = a.ranks.findIndex((rank, i) => rank !== b.ranks[i]);
  if (at >= 0) return (a.ranks[at] as number) - (b.ranks[at] as number);
  return a.replica.name < b.replica.name ? -1 : 1;
}
