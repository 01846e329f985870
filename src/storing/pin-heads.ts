/**
 * Pins the roots of each repository's head by themselves on the peers that hold its catalogue: whoever knows only the root of a tree,
 * or a snapshot's CID, then finds a peer that has it (docs/kubo.md, "How strangers find a tree").
 */
import { ShardctlError } from '../core/errors.ts';
import { type Emit, peerWarning } from '../core/events.ts';
import type { SnapshotRecord } from '../core/model.ts';
import { endsWithin } from '../core/waiting.ts';
import type { Index } from '../index/index.ts';
import type { Peer } from '../peer/peer.ts';

/** A peer gets this long to pin: one that hangs does not hold up the end of a run. */
const PATIENCE_MS = 10_000;

export interface PinHeads {
  readonly index: Index;
  readonly peers: ReadonlyMap<string, Peer>;
  readonly emit: Emit;
  /** Names of peers that are known not to answer: they are not asked, and pin in the next run. */
  readonly silent?: Pick<ReadonlySet<string>, 'has'>;
}

/**
 * Called after the new head is recorded: until then readers find the old root, whose pin keeps a single block. What a run that dies
 * here leaves undone, and what a peer that does not answer misses, the next run does.
 * @param repository only this one; all when absent
 */
export async function pinHeads({ index, peers, emit, silent }: PinHeads, repository?: string): Promise<void> {
  const able = [...peers.values()].filter((peer) => peer.pinRoots !== undefined && silent?.has(peer.name) !== true);
  if (able.length === 0) return;
  const names = repository === undefined ? index.repositories().map(({ name }) => name) : [repository];
  for (const name of names) {
    const head = index.snapshot(name, index.repository(name)?.head ?? 0);
    if (head !== undefined) await Promise.all(able.map((peer) => pinOn(peer, head, emit)));
  }
}

/**
 * Unpins the roots of repositories that were removed or renamed. What a peer that does not answer misses, the next `prune` does.
 * @returns the names of peers that do not answer: that they keep what is not needed was told
 */
export async function unpinFormer({ index, peers, emit }: Pick<PinHeads, 'index' | 'peers' | 'emit'>): Promise<ReadonlySet<string>> {
  const names = new Set(index.repositories().map(({ name }) => name));
  const silent = new Set<string>();
  const unpinOn = async (peer: Peer) => {
    const error = await inTime(peer.name, peer.keepRoots?.(names));
    if (error === undefined) return;
    const isSilent = error.code === 'TOO_FEW_PEERS';
    if (isSilent) silent.add(peer.name);
    const what = isSilent ? 'what is not needed' : 'roots pinned that nobody needs';
    emit(peerWarning(peer.name, `keeps ${what} until the next prune`, error));
  };
  await Promise.all([...peers.values()].filter(({ keepRoots }) => keepRoots !== undefined).map(unpinOn));
  return silent;
}

async function pinOn(peer: Peer, { repository, cid, tree, catalogue }: SnapshotRecord, emit: Emit): Promise<void> {
  // Both blocks are in the catalogue: a peer that does not hold it, or not any more, could not serve them.
  const holds = catalogue.peers.includes(peer.name);
  const error = await inTime(peer.name, peer.pinRoots?.(repository, holds ? [cid, tree] : []));
  if (error !== undefined && holds) emit(peerWarning(peer.name, `does not pin the roots of ${repository} yet`, error));
}

/** @returns why it was not done; undefined when it was */
async function inTime(name: string, work: Promise<void> | undefined): Promise<ShardctlError | undefined> {
  try {
    const isDone = work === undefined || (await endsWithin(PATIENCE_MS, work));
    return isDone ? undefined : new ShardctlError('TOO_FEW_PEERS', `peer "${name}" does not answer`);
  } catch (error) {
    if (!(error instanceof ShardctlError)) throw error;
    return error;
  }
}
