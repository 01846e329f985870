/** Shards of which no whole copy is left: they stop counting, so that the next `add` stores their blocks again. */
import { parseCid } from '../dag/cid.ts';
import { isShortage, ShardctlError } from '../errors.ts';
import { DIGEST_BYTES, type ShardRecord, type SnapshotRecord } from '../model.ts';
import { placedBlocks } from '../placed-blocks.ts';
import { liveBlocks } from '../prune/live.ts';
import { rewriteSnapshot } from '../prune/rewrite.ts';
import type { RepairRun } from './run.ts';

/** Files that stand unchanged in the source are not read by an `add` that has entries to compare with: those of the heads concerned go. */
export async function markLost({ index }: RepairRun, shards: readonly ShardRecord[]): Promise<void> {
  const lost = new Set(shards.map(({ number }) => number));
  for (const { name, head } of index.repositories()) {
    if (index.snapshot(name, head)?.shards.some((number) => lost.has(number))) index.dropEntries(name, head);
  }
  await index.updateShards(shards.map((shard) => ({ ...shard, state: 'lost' })));
}

/**
 * Snapshots that name a lost shard, and whose blocks are all elsewhere by now (the source was added again), get a list of
 * shards without it.
 */
export async function withoutLost(run: RepairRun, snapshots: readonly SnapshotRecord[]): Promise<number> {
  const { index, peers, emit, signal } = run;
  const rewritten: SnapshotRecord[] = [];
  const blocks = placedBlocks(index, peers);
  try {
    for (const snapshot of snapshots) {
      if (!snapshot.shards.some((number) => index.shard(number)?.state === 'lost')) continue;
      const shards = await shardsWith(snapshot);
      if (shards !== undefined) rewritten.push(await rewriteSnapshot(run, snapshot, shards, [...peers.keys()]));
    }
  } finally {
    await blocks.close();
  }
  if (rewritten.length > 0) await index.replaceSnapshots(rewritten, []);
  return rewritten.length;

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
