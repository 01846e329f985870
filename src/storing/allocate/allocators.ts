/**
 * The allocators: each gives a candidate its rank for a shard, the lower the better. Where the first ranks two candidates alike, the next
 * decides. Rules (`tag:`, `pinned-to:`, `prefer:`) say where a replica belongs; shares (`freespace`, `weight`, `most-free`) say how much
 * each peer gets.
 */
import { ShardctlError } from '../../core/errors.ts';

/** A peer as the allocators see it. */
export interface Candidate {
  readonly name: string;
  readonly tags: Readonly<Record<string, string>>;
  /** Bytes that were free on it when it was last asked. */
  readonly freeBytes: number;
  /** Bytes that it was promised, and that its last metric does not show yet. */
  readonly promisedBytes: number;
  /** Bytes that are to stay free on it. */
  readonly reserveBytes: number;
  /** The reserve may be used, as the shards that it is given free more space than they take. */
  readonly intoReserve?: boolean;
  readonly weight: number;
  /** Bytes that this run has given it so far, those under way included. */
  readonly givenBytes: number;
  /**
   * From 0 to 1: the part of its first shard that counts as given when the run begins. Without it, many runs of one shard each would all
   * choose the same peer.
   */
  readonly phase: number;
  /** It takes much longer than the others with the shards that it was given: it gets no more while another peer will do. */
  readonly lagging: boolean;
}

/** So much stays free on every peer: file systems are slow and fragile when they are full. */
export const RESERVE_BYTES = 16 * 1024 * 1024;

/** Bytes that a candidate can still be promised. */
export function roomOf({ freeBytes, promisedBytes, reserveBytes, intoReserve }: Candidate): number {
  return freeBytes - promisedBytes - (intoReserve === true ? 0 : Math.max(RESERVE_BYTES, reserveBytes));
}

/** A peer that has the shard, or will have it. */
export type Chosen = Pick<Candidate, 'name' | 'tags'>;

export interface Allocator {
  readonly kind: 'rule' | 'share';
  readonly rank: (candidate: Candidate, shardBytes: number, chosen: readonly Chosen[]) => number;
  /** A share that goes by the configured weights and not by space. */
  readonly byWeight?: boolean;
  /** Only these peers are candidates. */
  readonly only?: readonly string[];
  /** Peers that it names. They must be set up when a user states the rule; later some of them may be removed. */
  readonly names?: readonly string[];
}

/**
 * The peer that has been given the smallest part of the space that it had free comes first: shares come out proportional to free space,
 * and all peers work at once, whereas a burst of shards would all go to the one with most space. Space that others use up meanwhile counts.
 */
const freespace: Allocator = {
  kind: 'share',
  rank: (candidate, shardBytes) => turn(candidate, shardBytes) / (Math.max(0, roomOf(candidate)) + candidate.givenBytes),
};

/** Shares in proportion to the configured weights; a peer of weight 0 gets only shards that no other can take. */
const weight: Allocator = {
  kind: 'share',
  byWeight: true,
  rank: (candidate, shardBytes) => (candidate.weight === 0 ? Number.MAX_VALUE : turn(candidate, shardBytes) / candidate.weight),
};

/** As the `freespace` of IPFS Cluster: whoever has most room gets the next shard. */
const mostFree: Allocator = { kind: 'share', rank: (candidate) => -roomOf(candidate) };

/** Of the peers that the rules before it rank alike, those that lag come last. */
const LAGGING_LAST: Allocator = { kind: 'rule', rank: ({ lagging }) => (lagging ? 1 : 0) };

function turn({ givenBytes, phase }: Candidate, shardBytes: number): number {
  return givenBytes + phase * shardBytes;
}

/** Prefers peers whose value of the tag the fewest of the chosen have. */
function spreadOver(tag: string): Allocator {
  return { kind: 'rule', rank: ({ tags }, _, chosen) => chosen.filter((other) => other.tags[tag] === tags[tag]).length };
}

function pinnedTo(names: readonly string[]): Allocator {
  return { kind: 'rule', rank: () => 0, only: names, names };
}

function prefer(names: readonly string[]): Allocator {
  return { kind: 'rule', rank: ({ name }) => (names.includes(name) ? 0 : 1), names };
}

const SHARES: Readonly<Record<string, Allocator>> = { freespace, weight, 'most-free': mostFree };

/**
 * @param names `freespace`, `weight`, `most-free`, `tag:<name>`, `pinned-to:<peer>+<peer>`, `prefer:<peer>+<peer>`, in the order in which they decide;
 * without a share `freespace` comes last
 * @throws ShardctlError `BAD_CONFIG`
 */
export function allocatorsOf(names: readonly string[]): Allocator[] {
  const allocators = names.map(allocatorOf);
  const firstShare = allocators.findIndex(({ kind }) => kind === 'share');
  if (firstShare < 0) return [...allocators, LAGGING_LAST, freespace];
  return allocators.toSpliced(firstShare, 0, LAGGING_LAST);
}

/**
 * As `allocatorsOf`, for rules that are remembered. They may name peers that are not set up any more, as long as each rule lets some peer
 * have shards that is. @throws ShardctlError `BAD_CONFIG` when one lets none
 */
export function allocatorsAmong(peers: ReadonlyMap<string, unknown>, names: readonly string[]): Allocator[] {
  const nowhere = remembered(() => names.find((name) => allocatorOf(name).only?.some((peer) => peers.has(peer)) === false));
  if (nowhere === undefined) return allocatorsOf(names);
  throw new ShardctlError('BAD_CONFIG', `${nowhere} leaves no peer: it names none that is set up`, {
    hint: `${HOW_TO_FORGET}; ${listed(peers)}`,
  });
}

const HOW_TO_FORGET = '`shardctl config` shows who asks for it, `shardctl config allocate-by --unset` (with --repository NAME) ends it';

/** Of rules that are remembered it is also said how that ends: nobody has just typed them. */
function remembered<T>(read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof ShardctlError)) throw error;
    throw new ShardctlError(error.code, error.message, { hint: `${HOW_TO_FORGET}; ${error.hint}`, cause: error });
  }
}

/** Whether the rules let the peer have shards. */
export function isAllowed(allocators: readonly Pick<Allocator, 'only'>[], peer: string): boolean {
  return allocators.every(({ only }) => only?.includes(peer) ?? true);
}

/** For rules that a user states now. @throws ShardctlError `BAD_CONFIG` when one names a peer that is not set up */
export function checkPeersNamed(peers: ReadonlyMap<string, unknown>, names: readonly string[]): void {
  const stranger = names.flatMap(peersNamed).find((name) => !peers.has(name));
  if (stranger === undefined) return;
  throw new ShardctlError('BAD_CONFIG', `an allocator names the peer "${stranger}", which is not set up`, {
    hint: `state other rules with --allocate-by; ${listed(peers)}`,
  });
}

function listed(peers: ReadonlyMap<string, unknown>): string {
  return `the peers are ${[...peers.keys()].join(', ') || 'none'}`;
}

/** Peers that an allocator names. @throws ShardctlError `BAD_CONFIG` when there is no such allocator */
export function peersNamed(name: string): readonly string[] {
  return allocatorOf(name).names ?? [];
}

/** The same rules without these peers. A rule that names no other peer is dropped. */
export function withoutPeers(names: readonly string[], gone: readonly string[]): string[] {
  return names.flatMap((name) => {
    const named = peersNamed(name);
    const staying = named.filter((peer) => !gone.includes(peer));
    if (staying.length === named.length) return [name];
    return staying.length === 0 ? [] : [`${name.slice(0, name.indexOf(':'))}:${staying.join('+')}`];
  });
}

/** Tags over which replicas are spread, by the names of allocators. */
export function spreadTags(names: readonly string[]): string[] {
  return names.flatMap((name) => (name.startsWith('tag:') ? [name.slice('tag:'.length)] : []));
}

function allocatorOf(name: string): Allocator {
  const colon = name.indexOf(':');
  const [kind, value] = colon < 0 ? [name, ''] : [name.slice(0, colon), name.slice(colon + 1)];
  const share = colon < 0 && Object.hasOwn(SHARES, kind) ? SHARES[kind] : undefined;
  if (share !== undefined) return share;
  const listed = value.split('+').filter((peer) => peer !== '');
  if (kind === 'tag' && value !== '') return spreadOver(value);
  if (kind === 'pinned-to' && listed.length > 0) return pinnedTo(listed);
  if (kind === 'prefer' && listed.length > 0) return prefer(listed);
  throw new ShardctlError('BAD_CONFIG', `unknown allocator "${name}"`, {
    hint: 'known allocators: freespace, weight, most-free, tag:<name>, pinned-to:<peer>+<peer>, prefer:<peer>+<peer>',
  });
}
