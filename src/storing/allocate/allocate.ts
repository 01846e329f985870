/**
 * allocate — chooses the peers of a shard: docs/placing.md.
 * Candidates without room are dropped, the others are ordered by the configured allocators in turn, ties are broken by a
 * stable hash of shard and peer, and the list is cut at the most replicas.
 */
import { createHash } from 'node:crypto';
import { ShardctlError } from '../../core/errors.ts';
import { formatSize } from '../../home/sizes.ts';
import { type Allocator, type Candidate, type Chosen, roomOf } from './allocators.ts';

export interface AllocationRequest {
  /** CID of the shard. */
  readonly cid: string;
  /** Bytes that it takes on a peer. */
  readonly bytes: number;
  /** Fewest and most peers to choose; every peer means as many as there are. */
  readonly least: number;
  readonly most: number;
  readonly candidates: readonly Candidate[];
  readonly allocators: readonly Allocator[];
  /** Peers that have the shard already: replicas are spread over tags with them in view. */
  readonly holders?: readonly Chosen[];
  /** Peers that must not get it, as they failed to take it or have lost it. */
  readonly except?: ReadonlySet<string>;
  /** Peers that cannot be used, and why: for the message. */
  readonly unusable?: ReadonlyMap<string, string>;
}

/**
 * @returns names of the chosen peers, at most `most`
 * @throws ShardctlError `TOO_FEW_PEERS` or `NO_SPACE` when fewer than `least` can take the shard, naming what each lacks
 */
export function allocate(request: AllocationRequest): string[] {
  const { cid, bytes, least, most, allocators, holders = [] } = request;
  const waiting = eligible(request).filter((candidate) => roomOf(candidate) >= bytes);
  const chosen: Candidate[] = [];
  const ties = new Map(waiting.map(({ name }) => [name, tieBreak(cid, name)]));
  while (chosen.length < most && waiting.length > 0) {
    const having = [...holders, ...chosen];
    const ranks = new Map(waiting.map((candidate) => [candidate, allocators.map(({ rank }) => rank(candidate, bytes, having))]));
    const ranksOf = (candidate: Candidate) => ranks.get(candidate) as number[];
    waiting.sort((a, b) => compareRanks(ranksOf(a), ranksOf(b)) || ((ties.get(a.name) as string) < (ties.get(b.name) as string) ? -1 : 1));
    chosen.push(waiting.shift() as Candidate);
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
  return candidates.filter(
    ({ name }) => except?.has(name) !== true && !has.has(name) && allocators.every(({ only }) => only?.includes(name) ?? true),
  );
}

function compareRanks(a: readonly number[], b: readonly number[]): number {
  for (let i = 0; i < a.length; i++) {
    const difference = (a[i] as number) - (b[i] as number);
    if (difference !== 0) return difference;
  }
  return 0;
}

function tieBreak(cid: string, name: string): string {
  return createHash('sha256').update(cid).update('\0').update(name).digest('hex');
}

/** What keeps a shard from its peers, peer by peer. */
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
