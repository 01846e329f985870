/**
 * allocate — chooses the peers of a shard: docs/placing.md.
 * Candidates without room are dropped. The peers are chosen one after the other, as allocators look at those chosen before: each time
 * the first of the rest, ordered by the allocators in turn, and by a hash of shard and peer where they all tie.
 */
import { createHash } from 'node:crypto';
import { ShardctlError } from '../../core/errors.ts';
import { formatSize } from '../../home/sizes.ts';
import { type Allocator, type Candidate, type Chosen, isAllowed, roomOf } from './allocators.ts';

export interface AllocationRequest {
  /** CID of the shard. */
  readonly cid: string;
  /** Bytes that it takes on a peer. */
  readonly bytes: number;
  /** Fewest and most peers to choose. */
  readonly least: number;
  readonly most: number;
  readonly candidates: readonly Candidate[];
  readonly allocators: readonly Allocator[];
  /** Peers that have the shard already. They are not chosen, and replicas are spread over tags as if they had been. */
  readonly holders?: readonly Chosen[];
  /** Peers that must not get it, as they failed to take it or have lost it. */
  readonly except?: ReadonlySet<string>;
  /** Peers that cannot be used, and why: for error messages. */
  readonly unusable?: ReadonlyMap<string, string>;
}

/**
 * @returns names of the chosen peers, at most `most`
 * @throws ShardctlError `TOO_FEW_PEERS` or `NO_SPACE` when fewer than `least` can take the shard, naming what each lacks
 */
export function allocate(request: AllocationRequest): string[] {
  const { cid, bytes, least, most, allocators, holders = [] } = request;
  const chosen: Candidate[] = [];
  let waiting = eligible(request)
    .filter((candidate) => roomOf(candidate) >= bytes)
    .map((candidate) => ({ candidate, tie: tieBreak(cid, candidate.name) }));
  while (chosen.length < most) {
    const having = [...holders, ...chosen];
    const ranked = waiting.map((it) => ({ ...it, ranks: allocators.map(({ rank }) => rank(it.candidate, bytes, having)) }));
    const [first, ...rest] = ranked.sort((a, b) => compareRanks(a.ranks, b.ranks) || (a.tie < b.tie ? -1 : 1));
    if (first === undefined) break;
    chosen.push(first.candidate);
    waiting = rest;
  }
  if (chosen.length < least) throw shortage(request);
  return chosen.map((candidate) => candidate.name);
}

/** The most bytes that a shard may have now to find room on `least` peers; at most 0 when there is none. */
export function largestShard(request: Omit<AllocationRequest, 'cid' | 'bytes' | 'most'>): number {
  const rooms = eligible(request).map(roomOf);
  return rooms.sort((a, b) => b - a)[Math.max(1, request.least) - 1] ?? 0;
}

function eligible({
  candidates,
  allocators,
  holders,
  except,
}: Pick<AllocationRequest, 'candidates' | 'allocators' | 'holders' | 'except'>) {
  const has = new Set(holders?.map(({ name }) => name));
  return candidates.filter(({ name }) => except?.has(name) !== true && !has.has(name) && isAllowed(allocators, name));
}

function compareRanks(a: readonly number[], b: readonly number[]): number {
  for (const [i, rank] of a.entries()) {
    const other = b[i];
    if (other !== undefined && rank !== other) return rank - other;
  }
  return 0;
}

function tieBreak(cid: string, name: string): string {
  return createHash('sha256').update(cid).update('\0').update(name).digest('hex');
}

/** The error that says, peer by peer, why a shard finds too few peers. */
export function shortage(request: Omit<AllocationRequest, 'cid' | 'most'>): ShardctlError {
  const { bytes, candidates, least, unusable = new Map() } = request;
  const able = eligible(request);
  const lacks = [
    ...able
      .filter((candidate) => roomOf(candidate) < bytes)
      .map((candidate) => `${candidate.name} has ${formatSize(Math.max(0, roomOf(candidate)))} to give`),
    ...[...unusable].map(([name, why]) => `${name} ${why}`),
  ];
  if (able.length < least && lacks.length === unusable.size) {
    const among = able.length < candidates.length ? 'the peers that may still get this shard' : 'the peers';
    const more = lacks.length === 0 ? '' : ` (${lacks.join(', ')})`;
    return new ShardctlError(
      'TOO_FEW_PEERS',
      `${least} replica${least === 1 ? ' is' : 's are'} asked for, but only ${able.length} of ${among} can be used${more}`,
      {
        hint: 'add peers with `shardctl peers add`, mount or repair the missing ones, or lower --replication',
      },
    );
  }
  return new ShardctlError(
    'NO_SPACE',
    `a shard of ${formatSize(bytes)} needs ${least} peer${least === 1 ? '' : 's'} with room: ${lacks.join(', ')}`,
    {
      hint: 'free some space or add a peer with `shardctl peers add`, then run the same command again: it goes on where it stopped',
    },
  );
}
