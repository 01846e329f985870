/** Makes a snapshot known: as the head of its repository, or as one that the gate holds back, of which readers see nothing. */
import type { Emit } from '../core/events.ts';
import type { RepositoryRecord, SnapshotRecord } from '../core/model.ts';
import { writeHead } from '../home/heads.ts';
import type { Index } from '../index/index.ts';
import type { Peer } from '../peer/peer.ts';
import { pinHeads } from './pin-heads.ts';

export interface HeadMove {
  readonly index: Index;
  /** Directory of the heads' texts. */
  readonly heads: string;
  readonly peers: ReadonlyMap<string, Peer>;
  readonly emit: Emit;
  /** Names of peers that are known not to answer. */
  readonly silent?: Pick<ReadonlySet<string>, 'has'>;
}

/**
 * In one transaction, then the head's text, then its pins: a run that dies in between leaves the old text for the next one to write.
 * @param repository as it is from now on; the snapshot becomes its head if its `head` says so
 */
export async function commitSnapshot(move: HeadMove, repository: RepositoryRecord, snapshot: SnapshotRecord): Promise<void> {
  await move.index.commit(repository, snapshot);
  if (repository.head === snapshot.number) await showHead(move, snapshot);
}

/** What a run that died after its transaction has not done. */
export async function showHead(move: HeadMove, { repository, cid }: SnapshotRecord): Promise<void> {
  writeHead(move.heads, repository, cid);
  await pinHeads(move, repository);
}
