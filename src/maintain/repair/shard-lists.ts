/**
 * Gives a snapshot a new list of shards, when the shards that it names lack blocks of its tree and other shards of this home have them:
 * the source was added again, or the list lost a shard.
 */

import { isShortage, ShardctlError } from '../../core/errors.ts';
import { newestOf, type SnapshotRecord, snapshotName } from '../../core/model.ts';
import { parseCid } from '../../dag/cid.ts';
import { noteDoubt } from '../../index/files/doubts.ts';
import type { Index } from '../../index/index.ts';
import { placedBlocks } from '../../read/blocks/placed-blocks.ts';
import { type Gaps, gapsText, Wholeness, type WholenessOptions } from '../../read/tree/wholeness.ts';
import { rewriteSnapshot } from '../rewrite-snapshot.ts';
import { snapshotParts } from '../snapshot-parts.ts';
import type { RepairRun } from './repair-run.ts';

export interface WholeLists {
  /** The snapshots that got another list; in a dry run nothing changes, and they have their old CIDs. */
  readonly rewritten: readonly SnapshotRecord[];
  /** Snapshots that still lack blocks. */
  readonly open: readonly OpenSnapshot[];
}

export interface OpenSnapshot {
  readonly snapshot: SnapshotRecord;
  /** Undefined when a node cannot be read, or other shards have all that it lacks and what its catalogue says besides is lost. */
  readonly gaps: Gaps | undefined;
}

/** @param snapshots those of a repository oldest first */
export async function relistSnapshots(run: RepairRun, snapshots: readonly SnapshotRecord[]): Promise<WholeLists> {
  const { index, peers, dryRun } = run;
  const rewritten: SnapshotRecord[] = [];
  const open: OpenSnapshot[] = [];
  const blocks = placedBlocks(index, peers);
  const wholeness = new Wholeness({ ...run, index: viewOf(index), blocks });
  try {
    for (const snapshot of snapshots) {
      const counting = countingOf(snapshot, index);
      const gaps = await gapsOf(wholeness, snapshot, counting, run);
      if (gaps?.missing === 0 && counting.length === snapshot.shards.length) continue;
      const shards = [...new Set([...counting, ...(gaps?.elsewhere ?? [])])].sort((a, b) => a - b);
      // The new list is checked once more before it is written.
      const isWhole = gaps?.missing === 0 || (gaps?.nowhere === 0 && (await gapsOf(wholeness, snapshot, shards, run))?.missing === 0);
      if (!isWhole) open.push({ snapshot, gaps });
      else if (!(await hasParts(run, snapshot))) open.push({ snapshot, gaps: undefined });
      else rewritten.push(dryRun ? { ...snapshot, shards } : await rewriteSnapshot(run, snapshot, shards, [...peers.keys()]));
    }
  } finally {
    await blocks.close();
  }
  if (rewritten.length > 0 && !dryRun) await index.replaceSnapshots(rewritten, []);
  return { rewritten, open };
}

export interface Lacking {
  readonly what: string;
  readonly snapshots: readonly string[];
}

/**
 * Once all that shards hold is listed again: those that are open get a list, or are named. Whoever updates the repository of a head
 * that is named is told to read everything. @returns what they lack; what a lost shard held is told with the shard
 */
export async function relistOpenSnapshots(
  run: RepairRun,
  open: readonly OpenSnapshot[],
): Promise<{ rewritten: number; lacking: readonly Lacking[] }> {
  const { index, dryRun } = run;
  const snapshots = open.map(({ snapshot: { repository, number } }) => index.snapshot(repository, number)).filter((it) => it !== undefined);
  const again = await relistSnapshots(run, snapshots);
  const lacking: Lacking[] = [];
  for (const { snapshot, gaps } of again.open) {
    if (gaps === undefined) continue;
    const { repository, number, shards } = snapshot;
    const known = index.repository(repository);
    if (!dryRun && known !== undefined && newestOf(known) === number) noteDoubt(index.doubtOf(repository));
    if (countingOf(snapshot, index).length === shards.length) lacking.push({ what: gapsText(gaps), snapshots: [snapshotName(snapshot)] });
  }
  return { rewritten: again.rewritten.length, lacking };
}

function countingOf({ shards }: SnapshotRecord, index: Index): number[] {
  return shards.filter((number) => (index.shard(number)?.state ?? 'lost') !== 'lost');
}

async function hasParts(run: RepairRun, snapshot: SnapshotRecord): Promise<boolean> {
  try {
    await snapshotParts(run, snapshot);
    return true;
  } catch (error) {
    if (error instanceof ShardctlError && !isShortage(error) && !run.signal.aborted) return false;
    throw error;
  }
}

/** @returns undefined when a node cannot be read now: it may be mended in this very run, and the next repair looks again */
async function gapsOf(
  wholeness: Wholeness,
  { tree }: SnapshotRecord,
  shards: readonly number[],
  { signal }: RepairRun,
): Promise<Gaps | undefined> {
  try {
    return await wholeness.gaps(parseCid(tree), new Set(shards));
  } catch (error) {
    if (error instanceof ShardctlError && !isShortage(error) && !signal.aborted) return undefined;
    throw error;
  }
}

/** A damaged shard has what it should in so far as its list goes: its blocks are put back into it, see `replica-mender.ts`. */
function viewOf(index: Index): WholenessOptions['index'] {
  return {
    shardOf: (digest, at = 0, usable) =>
      index.shardOf(digest, at, usable) ??
      (usable && index.damagedShardOf(digest.subarray(at, at + 32), (number) => usable(number) && index.shard(number)?.state !== 'lost')),
  };
}
