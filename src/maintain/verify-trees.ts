/**
 * The part of `verify` that looks at trees: every block of a snapshot's tree must be in a shard that the snapshot names. That all shards
 * are intact does not show this, as one may be missing from the snapshot's list. Nodes are read; leaves are looked up in the index.
 */

import { shellWord } from '../core/display.ts';
import { isReadOnly } from '../core/errno.ts';
import { errnoOf, ShardctlError } from '../core/errors.ts';
import type { Emit } from '../core/events.ts';
import { newestOf, type SnapshotRecord, snapshotName } from '../core/model.ts';
import { parseCid } from '../dag/cid.ts';
import { NotUnixFs } from '../dag/protobuf-reader.ts';
import { noteDoubt } from '../index/files/doubts.ts';
import type { Index } from '../index/index.ts';
import type { Peer } from '../peer/peer.ts';
import { placedBlocks } from '../read/blocks/placed-blocks.ts';
import { type Gaps, gapsText, Wholeness } from '../read/tree/wholeness.ts';

export interface VerifyTreesOptions {
  readonly index: Index;
  readonly peers: ReadonlyMap<string, Peer>;
  /** Those of a repository oldest first, so that of each tree only the nodes that are new in it are read. */
  readonly snapshots: readonly SnapshotRecord[];
  readonly emit: Emit;
  readonly signal: AbortSignal;
}

/** Reports each tree that is not whole as an event, and leaves a note for `update` where it is a head's. @returns how many there are */
export async function verifyTrees({ index, peers, snapshots, emit, signal }: VerifyTreesOptions): Promise<number> {
  const blocks = placedBlocks(index, peers, { signal });
  const wholeness = new Wholeness({ index, blocks, emit, signal });
  const broken: { readonly snapshot: SnapshotRecord; readonly gaps: Gaps }[] = [];
  const unreadable: { readonly snapshot: SnapshotRecord; readonly error: ShardctlError }[] = [];
  let unknown: ShardctlError | undefined;
  try {
    for (const snapshot of snapshots) {
      try {
        const gaps = await wholeness.gaps(parseCid(snapshot.tree), new Set(snapshot.shards));
        if (gaps.missing > 0) broken.push({ snapshot, gaps });
      } catch (error) {
        if (!(error instanceof ShardctlError) || signal.aborted) throw error;
        if (error.code === 'DAMAGE') unreadable.push({ snapshot, error });
        else unknown ??= error;
      }
    }
  } finally {
    await blocks.close();
  }

  let damaged = 0;
  const found = (snapshot: SnapshotRecord, detail: string) => {
    damaged++;
    emit({ type: 'damage', what: `tree of ${snapshotName(snapshot)}`, where: 'its shards', detail });
  };
  for (const { snapshot, error } of unreadable) found(snapshot, `${error.message}: \`${helpForUnreadable(index, snapshot, error)}\``);
  const heads = broken.filter(({ snapshot }) => isNewest(index, snapshot)).map(({ snapshot }) => snapshot.repository);
  for (const { snapshot, gaps } of broken) {
    // `verify` holds no lock: a prune may have rewritten the snapshot meanwhile, and its blocks are in other shards now.
    if (index.snapshot(snapshot.repository, snapshot.number)?.cid !== snapshot.cid) {
      emit({ type: 'warning', message: `${snapshotName(snapshot)} was changed while it was looked at: verify it again` });
      continue;
    }
    found(snapshot, `lacks ${gapsText(gaps)}: ${helpFor(index, snapshot, gaps, heads)}`);
    if (isNewest(index, snapshot)) doubt(index, snapshot.repository);
  }
  if (unknown !== undefined) emit({ type: 'warning', message: `whether all trees are whole cannot be told: ${unknown.message}` });
  return damaged;
}

/** The one command that helps. @param brokenHeads repositories whose newest tree is not whole */
function helpFor(index: Index, { repository, number }: SnapshotRecord, { nowhere }: Gaps, brokenHeads: readonly string[]): string {
  if (nowhere === 0) return 'other shards have that: `shardctl repair`';
  if (brokenHeads.includes(repository)) {
    const isImported = index.repository(repository)?.source === '';
    const again = isImported ? `shardctl import-car FILE --name ${shellWord(repository)}` : `shardctl update ${shellWord(repository)}`;
    return `to store it again, \`${again}\``;
  }
  return `nobody has that any more: \`shardctl forget ${shellWord(repository)} ${number}\` lets it go`;
}

/** Notes a doubt, so that the next `update` looks through the head. If the home cannot be written to, it cannot be updated either. */
function doubt(index: Index, repository: string): void {
  try {
    noteDoubt(index.doubtOf(repository));
  } catch (error) {
    if (!isReadOnly(errnoOf(error))) throw error;
  }
}

/** An update starts from it, although the gate may hold it back. */
function isNewest(index: Index, { repository, number }: SnapshotRecord): boolean {
  const known = index.repository(repository);
  return known !== undefined && newestOf(known) === number;
}

function isHead(index: Index, { repository, number }: SnapshotRecord): boolean {
  return index.repository(repository)?.head === number;
}

/** Whether the tree was never valid: then it came from a stranger, and no repair makes it valid. */
function helpForUnreadable(index: Index, snapshot: SnapshotRecord, error: ShardctlError): string {
  if (!(error instanceof NotUnixFs)) return 'shardctl repair --read-data';
  const name = shellWord(snapshot.repository);
  return isHead(index, snapshot) ? `shardctl rm ${name}` : `shardctl forget ${name} ${snapshot.number}`;
}
