/**
 * The roots of each repository's head, pinned by themselves on the peers that hold its catalogue: who knows only the root of a tree,
 * or a snapshot's CID, then finds a peer that has it (docs/kubo.md, "How strangers find a tree").
 */
import { ShardctlError } from '../core/errors.ts';
import type { Emit } from '../core/events.ts';
import type { SnapshotRecord } from '../core/model.ts';
import { endsWithin } from '../core/waiting.ts';
import type { Index } from '../index/index.ts';
import type { Peer } from '../peer/peer.ts';

/** A peer that hangs does not hold up the end of a run. */
const PATIENCE_MS = 10_000;

export interface PinHeads {
  readonly index: Index;
  readonly peers: ReadonlyMap<string, Peer>;
  readonly emit: Emit;
  /** Names of peers that are known not to answer: the next run has them pin. */
  readonly silent?: Pick<ReadonlySet<string>, 'has'>;
}

/**
 * Goes after the head: a pin of a root keeps one block, and readers lose nothing while the old one stands. What a run that died here
 * has left undone, and what a peer that is away misses, the next one does.
 * @param repository only this one
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

/** Unpins the roots of repositories that are no more, or have another name. What a peer that is away misses, the next prune does. */
export async function unpinFormer({ index, peers, emit }: Pick<PinHeads, 'index' | 'peers' | 'emit'>): Promise<void> {
  const names = new Set(index.repositories().map(({ name }) => name));
  const unpinOn = async (peer: Peer) => {
    const error = await inTime(peer.name, peer.keepRoots?.(names));
    if (error === undefined) return;
    emit({
      type: 'warning',
      message: `peer ${peer.name} keeps roots pinned that nobody needs until the next prune: ${error.message}`,
      cause: error.message,
    });
  };
  await Promise.all([...peers.values()].filter(({ keepRoots }) => keepRoots !== undefined).map(unpinOn));
}

async function pinOn(peer: Peer, { repository, cid, tree, catalogue }: SnapshotRecord, emit: Emit): Promise<void> {
  // Both blocks are in the catalogue. A peer that does not hold it (any more) has nothing to be found for.
  const holds = catalogue.peers.includes(peer.name);
  const error = await inTime(peer.name, peer.pinRoots?.(repository, holds ? [cid, tree] : []));
  if (error !== undefined && holds)
    emit({
      type: 'warning',
      message: `peer ${peer.name} does not pin the roots of ${repository} yet: ${error.message}`,
      cause: error.message,
    });
}

/** @returns why it was not done */
async function inTime(name: string, work: Promise<void> | undefined): Promise<ShardctlError | undefined> {
  try {
    const isDone = work === undefined || (await endsWithin(PATIENCE_MS, work));
    return isDone ? undefined : new ShardctlError('TOO_FEW_PEERS', `peer "${name}" does not answer`);
  } catch (error) {
    if (!(error instanceof ShardctlError)) throw error;
    return error;
  }
}
