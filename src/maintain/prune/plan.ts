/** Plans a prune from how much of each shard is in use. Reads and writes nothing: `-n` prints the plan that a run then carries out. */
import type { ShardRecord, SnapshotRecord, Stray } from '../../core/model.ts';
import type { ShardUse } from '../../read/tree/reachable.ts';

/** How many unused bytes may stay in shards: freeing them means copying the used blocks beside them. */
export type MaxUnused = { readonly percent: number } | { readonly bytes: number };

export const DEFAULT_MAX_UNUSED: MaxUnused = { percent: 5 };

export interface PruneLimits {
  readonly maxUnused: MaxUnused;
  /** Most bytes of blocks to copy. */
  readonly maxRepack: number;
}

export interface PrunePlan {
  /** Shards of which no retained snapshot reaches a block, although some snapshots may still name them. */
  readonly dead: readonly ShardRecord[];
  /** Thin shards, the thinnest first: their used blocks are copied to new shards, and then they are dead, too. */
  readonly repack: readonly ShardUse[];
  /** On peers, known to this home, and of no use: catalogues of forgotten snapshots, leftovers of runs that died. */
  readonly strays: readonly Stray[];
  /** Unused bytes in the shards that stay. */
  readonly unusedBytes: number;
  /** CIDs of all that stays. Two records may stand for one shard: when one record goes and the other stays, so does the shard. */
  readonly needed: ReadonlySet<string>;
}

export interface PruneState {
  readonly shards: Iterable<ShardRecord>;
  readonly snapshots: readonly SnapshotRecord[];
  readonly strays: readonly Stray[];
  /** Every shard that a snapshot names, and those that have what is lost of these. */
  readonly uses: readonly ShardUse[];
}

export function planPrune({ shards, snapshots, strays, uses }: PruneState, limits: PruneLimits): PrunePlan {
  const reached = uses.filter(({ usedBlocks }) => usedBlocks > 0);
  const { repack, unusedBytes } = chooseThin(reached, limits);
  const copied = new Set(repack.map(({ shard }) => shard.number));
  const staying = new Set(reached.map(({ shard }) => shard.number));
  const dead = [...shards].filter(({ number }) => !staying.has(number));
  const needed = new Set(snapshots.map(({ catalogue }) => catalogue.cid));
  for (const { shard } of reached) if (!copied.has(shard.number)) needed.add(shard.cid);
  return { dead, repack, strays, unusedBytes, needed };
}

/** Chooses shards to repack as restic does: the thinnest first, until the unused bytes in the others are within the limit. */
function chooseThin(uses: readonly ShardUse[], { maxUnused, maxRepack }: PruneLimits): { repack: ShardUse[]; unusedBytes: number } {
  const used = uses.reduce((sum, { usedBytes }) => sum + usedBytes, 0);
  const allowed = 'bytes' in maxUnused ? maxUnused.bytes : allowedUnused(maxUnused.percent, used);
  let unusedBytes = uses.reduce((sum, use) => sum + unusedOf(use), 0);
  let budget = maxRepack;
  const repack: ShardUse[] = [];
  const thinnest = uses
    .filter((use) => unusedOf(use) > 0 && (use.lostBlocks ?? 0) === 0)
    .sort((a, b) => shareUsed(a) - shareUsed(b) || a.shard.number - b.shard.number);
  for (const use of thinnest) {
    if (unusedBytes <= allowed || use.usedBytes > budget) break;
    repack.push(use);
    unusedBytes -= unusedOf(use);
    budget -= use.usedBytes;
  }
  return { repack, unusedBytes };
}

/** Percent of all that is stored afterwards, used and unused together. */
function allowedUnused(percent: number, used: number): number {
  return percent >= 100 ? Number.POSITIVE_INFINITY : (used * percent) / (100 - percent);
}

function unusedOf({ shard, usedBytes }: ShardUse): number {
  return shard.bytes - usedBytes;
}

function shareUsed({ shard, usedBytes }: ShardUse): number {
  return usedBytes / shard.bytes;
}
