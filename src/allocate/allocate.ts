/**
 * allocate — chooses the peers of a shard: docs/design.md section 7.
 * Candidates without room are dropped, the others are ordered by the configured allocators in turn, ties are broken by a
 * stable hash of shard and peer, and the list is cut at the most replicas.
 */
import { createHash } from 'node:crypto';
import { ShardctlError } from '../errors.ts';
import { formatSize } from '../home/sizes.ts';
import type { Replication } from '../model.ts';

/** A peer as the allocators see it. */
export interface Candidate {
  readonly name: string;
  readonly tags: Readonly<Record<string, string>>;
  /** Bytes free when it was last asked. */
  readonly freeBytes: number;
  /** Bytes promised to it that its metric does not cover yet. */
  readonly promisedBytes: number;
}

/** Nothing is planned into the last bytes of a disk: file systems are slow and fragile when full. */
export const RESERVE_BYTES = 16 * 1024 * 1024;

/**
 * Gives each candidate its rank for this shard, lower is better. `chosen` are the peers that the shard has already:
 * spreading over tags needs to know them.
 */
export type Allocator = (candidate: Candidate, shardBytes: number, chosen: readonly Candidate[]) => number;

/**
 * The peer that has promised the smallest part of its free space comes first, so that shares come out proportional and all
 * peers work at once; most-free-first would herd a burst of shards onto one.
 */
export const freespace: Allocator = ({ freeBytes, promisedBytes }, shardBytes) => (promisedBytes + shardBytes) / freeBytes;

/** Prefers peers whose value of the tag none of the chosen has. */
export function spreadOver(tag: string): Allocator {
  return ({ tags }, _, chosen) => chosen.filter((other) => other.tags[tag] === tags[tag]).length;
}

/** @param names `freespace`, `tag:<name>` */
export function allocatorsOf(names: readonly string[]): Allocator[] {
  return names.map((name) => {
    if (name === 'freespace') return freespace;
    if (name.startsWith('tag:') && name.length > 4) return spreadOver(name.slice(4));
    throw new ShardctlError('BAD_CONFIG', `unknown allocator "${name}"`, { hint: 'known allocators: freespace, tag:<name>' });
  });
}

export interface AllocationRequest {
  /** CID of the shard. */
  readonly cid: string;
  /** Bytes that it takes on a peer. */
  readonly bytes: number;
  readonly replication: Replication;
  readonly candidates: readonly Candidate[];
  readonly allocators: readonly Allocator[];
  /** Peers that have the shard already, or failed to take it. */
  readonly except?: ReadonlySet<string>;
}

/**
 * @returns names of the chosen peers, at most `replication.max`
 * @throws ShardctlError `TOO_FEW_PEERS` or `NO_SPACE` when fewer than `replication.min` can take the shard, naming what each lacks
 */
export function allocate(request: AllocationRequest): string[] {
  const { cid, bytes, replication, allocators, except } = request;
  const fit = request.candidates.filter((candidate) => !except?.has(candidate.name) && roomOf(candidate) >= bytes);
  const chosen: Candidate[] = [];
  const most = replication.max < 0 ? fit.length : replication.max;
  while (chosen.length < most && chosen.length < fit.length) {
    const ranked = fit
      .filter((candidate) => !chosen.includes(candidate))
      .map((candidate) => ({
        candidate,
        ranks: allocators.map((rank) => rank(candidate, bytes, chosen)),
        tie: tieBreak(cid, candidate.name),
      }))
      .sort((a, b) => compareRanks(a.ranks, b.ranks) || (a.tie < b.tie ? -1 : 1));
    chosen.push((ranked[0] as (typeof ranked)[number]).candidate);
  }
  const least = replication.min < 0 ? request.candidates.length : replication.min;
  if (chosen.length < Math.max(1, least)) throw shortage(request, Math.max(1, least));
  return chosen.map((candidate) => candidate.name);
}

/** What a candidate can still be promised. */
function roomOf(candidate: Candidate): number {
  return candidate.freeBytes - candidate.promisedBytes - RESERVE_BYTES;
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

function shortage({ bytes, candidates }: AllocationRequest, least: number): ShardctlError {
  if (candidates.length < least) {
    return new ShardctlError('TOO_FEW_PEERS', `${least} replicas are asked for, but only ${candidates.length} of the peers can be used`, {
      hint: 'add peers with `shardctl peers add`, mount or repair the missing ones, or lower --replication',
    });
  }
  const lacks = candidates
    .filter((candidate) => roomOf(candidate) < bytes)
    .map((candidate) => `${candidate.name} has ${formatSize(Math.max(0, roomOf(candidate)))} to give`);
  return new ShardctlError(
    'NO_SPACE',
    `a shard of ${formatSize(bytes)} needs ${least} peer${least === 1 ? '' : 's'} with room: ${lacks.join(', ')}`,
    {
      hint: 'free some space or add a peer with `shardctl peers add`, then run the same command again: it goes on where it stopped',
    },
  );
}
