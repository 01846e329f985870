/**
 * Shards that cannot be had whole: what of them nobody has stops counting, so that the next `add` or `update` stores it again; what
 * is good in them is read as before. The note goes when a whole copy was read.
 */
import { parseCid } from '../dag/cid.ts';
import { isShortage, ShardctlError } from '../errors.ts';
import { DIGEST_BYTES, MOST_BAD_BLOCKS, type ShardRecord, type SnapshotRecord } from '../model.ts';
import { placedBlocks } from '../placed-blocks.ts';
import { liveBlocks } from '../prune/live.ts';
import { rewriteSnapshot } from '../prune/rewrite.ts';
import type { RepairRun } from './run.ts';

/** A shard of which something is lost. */
export interface LossFound {
  readonly shard: ShardRecord;
  /** The blocks that nobody has, 32 bytes each; undefined when nobody knows what the shard held. */
  readonly lacking: Buffer | undefined;
}

/** Files that stand unchanged in the source are not read by an `add` that has entries to compare with: those of the heads concerned go. */
export async function noteLosses({ index }: RepairRun, losses: readonly LossFound[]): Promise<void> {
  const noted = losses.map(({ shard, lacking }) => ({ before: shard, after: withLoss(shard, lacking) }));
  const changed = noted.filter(({ before, after }) => !sameLoss(before, after));
  if (changed.length === 0) return;
  const numbers = new Set(changed.map(({ after }) => after.number));
  for (const { name, head } of index.repositories()) {
    if (index.snapshot(name, head)?.shards.some((number) => numbers.has(number))) index.dropEntries(name, head);
  }
  await index.updateShards(changed.map(({ after }) => after));
}

function withLoss({ bad: _, ...shard }: ShardRecord, lacking: Buffer | undefined): ShardRecord {
  const count = (lacking?.length ?? 0) / DIGEST_BYTES;
  if (lacking === undefined || count > MOST_BAD_BLOCKS) return { ...shard, state: 'lost' };
  const bad = Array.from({ length: count }, (_, i) => lacking.toString('hex', i * DIGEST_BYTES, (i + 1) * DIGEST_BYTES));
  return { ...shard, state: 'committed', bad };
}

/** A shard that is whole again counts as it did. */
export function withoutLoss({ bad: _, ...shard }: ShardRecord): ShardRecord {
  return { ...shard, state: shard.state === 'lost' ? 'committed' : shard.state };
}

function sameLoss(a: ShardRecord, b: ShardRecord): boolean {
  return a.state === b.state && a.bad?.join() === b.bad?.join();
}

/**
 * Snapshots that name a lost shard, and whose blocks are all elsewhere by now (the source was added again), get a list of
 * shards without it. @returns these snapshots; a dry run changes nothing, and they have their old CIDs
 */
export async function withoutLost(run: RepairRun, snapshots: readonly SnapshotRecord[]): Promise<readonly SnapshotRecord[]> {
  const { index, peers, dryRun, emit, signal } = run;
  const rewritten: SnapshotRecord[] = [];
  const blocks = placedBlocks(index, peers);
  try {
    for (const snapshot of snapshots) {
      if (!snapshot.shards.some((number) => index.shard(number)?.state === 'lost')) continue;
      const shards = await shardsWith(snapshot);
      if (shards === undefined) continue;
      rewritten.push(dryRun ? { ...snapshot, shards } : await rewriteSnapshot(run, snapshot, shards, [...peers.keys()]));
    }
  } finally {
    await blocks.close();
  }
  if (rewritten.length > 0 && !dryRun) await index.replaceSnapshots(rewritten, []);
  return rewritten;

  /** The shards that hold the whole tree; undefined when a block of it is in none, or that cannot be told. */
  async function shardsWith({ tree }: SnapshotRecord): Promise<number[] | undefined> {
    try {
      const digests = (await liveBlocks([parseCid(tree)], { blocks, emit, signal })).digests();
      const shards = new Set<number>();
      for (let at = 0; at < digests.length; at += DIGEST_BYTES) {
        const shard = index.shardOf(digests, at);
        if (shard === undefined) return undefined;
        shards.add(shard);
      }
      return [...shards].sort((a, b) => a - b);
    } catch (error) {
      // What cannot be read now may be mended in a moment: the next repair looks again.
      if (error instanceof ShardctlError && !isShortage(error) && !signal.aborted) return undefined;
      throw error;
    }
  }
}
