/**
 * Which shards a follower holds: a pure function of what it sees, so that any number of followers spread over a set of shards without
 * talking to one another.
 *
 * The least replicated shards come first; of equals, each follower has an order of its own (rendezvous hashing: the hash of its ID and the
 * shard's CID). A follower that is full exchanges shards only where that helps: one that clearly lacks holders for one that has more than
 * most. All followers see the same lack at the same time; if all acted on it, the shards that they drop would be lost and the one that they
 * take would be everywhere. So each draws a lot, whose chance is such that as many exchange as are needed. In a simulation of 100
 * followers, without lots the rarest shard fell to no holder at all and each shard was moved a hundred times; with lots it came to 0.8 of
 * the mean, and one shard in ten was moved.
 */
import { createHash } from 'node:crypto';

/** A shard of the snapshot that is followed. */
export interface SeenShard {
  readonly cid: string;
  /** Bytes that it takes. A stranger's word: anything that is no count of bytes fits nowhere. */
  readonly bytes: number;
  /** Others that hold it now, this follower not counted. Undefined where nobody was asked: it is neither taken nor dropped. */
  readonly holders: number | undefined;
}

/** A shard that the follower holds. */
export interface HeldShard {
  readonly cid: string;
  readonly bytes: number;
  /** How many others held it when it was taken: it is not dropped while there are fewer. */
  readonly found: number;
}

export interface Sight {
  /** Tells this follower from others, and stays the same. */
  readonly follower: string;
  /** Another number at each look, so that whoever draws a blank draws again. */
  readonly round: number;
  /** Bytes that it may hold. */
  readonly limit: number;
  /** Holders that were seen of any shard, this follower not counted. */
  readonly crowd: number;
  /** All shards of the snapshot, in any order. */
  readonly shards: readonly SeenShard[];
  readonly held: readonly HeldShard[];
}

export interface Exchange {
  readonly take: SeenShard;
  /** Make room for it. */
  readonly drop: readonly HeldShard[];
}

export interface Choice {
  /** To drop: the snapshot does not need them any more. */
  readonly unneeded: readonly HeldShard[];
  /** To drop: they are over the limit, and enough others hold them. */
  readonly surplus: readonly HeldShard[];
  /** To take, in this order; all of them fit. */
  readonly take: readonly SeenShard[];
  /** To take in exchange for others, after `take`. */
  readonly exchanges: readonly Exchange[];
  /** Bytes over the limit that stay, because too few others hold those shards. */
  readonly overBytes: number;
}

/** A shard lacks holders when it has fewer than this part of the mean. */
const LACKING = 0.85;

export function choose({ follower, round, limit, crowd, shards, held }: Sight): Choice {
  const seen = seenOnce(shards);
  const rank = rankOf(follower);
  const isHeld = new Set(held.map(({ cid }) => cid));
  const unneeded = held.filter(({ cid }) => !seen.has(cid));
  /** The most replicated first. */
  const spare: Needed[] = held
    .filter(({ cid }) => seen.has(cid))
    .map((shard) => ({ shard, others: seen.get(shard.cid)?.holders ?? 0 }))
    .sort((a, b) => b.others - a.others || rank(a.shard.cid, b.shard.cid));
  const wanted = [...seen.values()]
    .filter((shard): shard is Countable => !isHeld.has(shard.cid) && shard.holders !== undefined)
    .sort((a, b) => a.holders - b.holders || rank(b.cid, a.cid));
  let free = limit - spare.reduce((sum, { shard }) => sum + shard.bytes, 0);

  const surplus: HeldShard[] = [];
  while (free < 0) {
    const at = spare.findIndex(({ shard, others }) => mayGo(shard, others));
    if (at < 0) break;
    const [out] = spare.splice(at, 1) as [Needed];
    surplus.push(out.shard);
    free += out.shard.bytes;
  }

  const take: SeenShard[] = [];
  const left: Countable[] = [];
  for (const shard of wanted) {
    if (shard.bytes > free) left.push(shard);
    else {
      take.push(shard);
      free -= shard.bytes;
    }
  }

  const mean = meanReplication(seen.values(), isHeld);
  const lot = (cid: string, purpose: 'take' | 'drop') => lotOf(follower, `${cid}\n${purpose}`, round);
  const mayTake = ({ cid, bytes, holders }: Countable) => bytes <= limit && lot(cid, 'take') * Math.max(crowd, 1) <= mean - holders;
  // Of those that hold it, so many draw a lot to drop it that it does not come to lack holders itself.
  const mayDrop = ({ shard, others }: Needed) =>
    mayGo(shard, others) && lot(shard.cid, 'drop') * (others + 1) <= others + 1 - LACKING * mean;
  const exchanges = exchangesOf(
    left.filter((shard) => shard.holders < LACKING * mean && mayTake(shard)),
    spare.filter(mayDrop),
    Math.max(0, free),
  );
  return { unneeded, surplus, take, exchanges, overBytes: Math.max(0, -free) };
}

type Countable = SeenShard & { readonly holders: number };

/** A shard that is held, and how many others hold it. */
interface Needed {
  readonly shard: HeldShard;
  readonly others: number;
}

/** @param lacking the least replicated first @param spare the most replicated first @param free bytes that are under the limit */
function exchangesOf(lacking: readonly Countable[], spare: readonly Needed[], free: number): Exchange[] {
  const exchanges: Exchange[] = [];
  let next = 0;
  for (const take of lacking) {
    let room = free;
    let end = next;
    // What is dropped still has more holders than what is taken had.
    while (room < take.bytes && (spare[end]?.others ?? 0) > take.holders) room += spare[end++]?.shard.bytes ?? 0;
    if (room < take.bytes) continue;
    exchanges.push({ take, drop: spare.slice(next, end).map(({ shard }) => shard) });
    free = room - take.bytes;
    next = end;
  }
  return exchanges;
}

/**
 * The order in which this follower prefers shards among equals: it asks after those first that it would take first.
 * @returns negative when `b` is preferred, as for sorting in ascending order
 */
export function rankOf(follower: string): (a: string, b: string) => number {
  const weights = new Map<string, number>();
  const weightOf = (cid: string) => {
    let weight = weights.get(cid);
    if (weight === undefined) {
      weight = lotOf(follower, cid, 0);
      weights.set(cid, weight);
    }
    return weight;
  };
  // Equal hashes, which nobody finds in 48 bits by chance, are told apart by the CID.
  return (a, b) => weightOf(a) - weightOf(b) || (a < b ? -1 : a > b ? 1 : 0);
}

/** A shard that is listed twice counts once, with the larger of its sizes; what is no size is larger than all. */
function seenOnce(shards: readonly SeenShard[]): Map<string, SeenShard> {
  const seen = new Map<string, SeenShard>();
  for (const { cid, bytes, holders } of shards) {
    const size = Number.isSafeInteger(bytes) && bytes >= 0 ? bytes : Number.POSITIVE_INFINITY;
    const known = seen.get(cid);
    const fewest = Math.min(holders ?? Number.POSITIVE_INFINITY, known?.holders ?? Number.POSITIVE_INFINITY);
    seen.set(cid, { cid, bytes: Math.max(size, known?.bytes ?? 0), holders: Number.isFinite(fewest) ? fewest : undefined });
  }
  return seen;
}

/** Whether as many others hold it as when it was taken, and one at least. */
function mayGo({ found }: HeldShard, others: number): boolean {
  return others >= Math.max(1, found);
}

/** Holders of a shard in the mean, this follower counted. */
function meanReplication(shards: Iterable<SeenShard>, isHeld: ReadonlySet<string>): number {
  let asked = 0;
  let holders = 0;
  for (const shard of shards) {
    if (shard.holders === undefined) continue;
    asked++;
    holders += shard.holders + (isHeld.has(shard.cid) ? 1 : 0);
  }
  return asked === 0 ? 0 : holders / asked;
}

/** A number from 0 to 1 that only this follower has for this shard in this round. */
function lotOf(follower: string, cid: string, round: number): number {
  return createHash('sha256').update(`${follower}\n${cid}\n${round}`).digest().readUIntBE(0, 6) / 2 ** 48;
}
