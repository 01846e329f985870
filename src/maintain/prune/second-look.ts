/**
 * The second look, before any shard is removed: every link of every node of every retained tree must lead into a shard that stays and
 * that the tree's snapshot names. It shares no code with `read/tree/reachable.ts`, by which the plan was made: if the two disagree, the
 * prune fails and removes nothing.
 */

import { DigestMap } from '../../core/digest-map.ts';
import { ShardctlError } from '../../core/errors.ts';
import { DIGEST_BYTES, type SnapshotRecord, snapshotName } from '../../core/model.ts';
import { blockText, parseCid } from '../../dag/cid.ts';
import type { Index } from '../../index/index.ts';
import type { Blocks } from '../../read/blocks/block-source.ts';
import { gapsText, Wholeness } from '../../read/tree/wholeness.ts';
import type { Maintenance } from '../maintenance.ts';

export interface Leaving {
  /** Dead shards: none of their blocks is copied. */
  readonly dead: ReadonlySet<number>;
  /** Thin shards: they are removed when their used blocks have been copied. */
  readonly thin: ReadonlySet<number>;
}

/** Blocks that trees have in a thin shard and in none that stays, by thin shard: 44 to 88 bytes each. */
export type ToCopy = ReadonlyMap<number, DigestMap>;

/**
 * Before anything is copied. @param snapshots all that are retained; those of a repository oldest first
 * @throws ShardctlError `DAMAGE` when a tree would lose a block, or lacks one already
 */
export async function assertKept(
  run: Maintenance,
  snapshots: readonly SnapshotRecord[],
  { dead, thin }: Leaving,
  blocks: Blocks,
): Promise<ToCopy> {
  const { index } = run;
  const wholeness = new Wholeness({ ...run, index: { shardOf: (digest, at, usable) => shardOf(index, dead, digest, at, usable) }, blocks });
  const toCopy = new Map<number, DigestMap>();
  for (const snapshot of snapshots) {
    const named = new Set(snapshot.shards.filter((number) => !dead.has(number)));
    const staying = (number: number) => named.has(number) && !thin.has(number);
    const gaps = await wholeness.gaps(parseCid(snapshot.tree), named, (digest, shard) => {
      if (!thin.has(shard) || index.shardOf(digest, 0, staying) !== undefined) return;
      const blocksOf = toCopy.get(shard) ?? new DigestMap();
      blocksOf.add(digest, 0, 0);
      toCopy.set(shard, blocksOf);
    });
    if (gaps.missing > 0) throw refusal(snapshot, gapsText(gaps));
  }
  return toCopy;
}

/**
 * A block that is lost in a shard that stays is not lost by this prune, unless a shard that goes has it and could heal the loss. Then it
 * counts as being in no shard, and the prune fails.
 */
function shardOf(
  index: Index,
  dead: ReadonlySet<number>,
  digest: Uint8Array,
  at = 0,
  usable: (shard: number) => boolean = () => true,
): number | undefined {
  const intact = index.shardOf(digest, at, usable);
  if (intact !== undefined) return intact;
  const isHealedByDead = index.shardOf(digest, at) !== undefined && index.shardOf(digest, at, (shard) => !dead.has(shard)) === undefined;
  return isHealedByDead ? undefined : index.damagedShardOf(digest.subarray(at, at + DIGEST_BYTES), usable);
}

/** After copying. @param after the snapshots that named a leaving shard, as they are to be @throws ShardctlError `DAMAGE` */
export function assertCopied(
  { index }: Pick<Maintenance, 'index'>,
  toCopy: ToCopy,
  after: ReadonlyMap<SnapshotRecord, readonly number[]>,
  { dead, thin }: Leaving,
): void {
  for (const [snapshot, shards] of after) {
    const now = new Set(shards);
    const dropped = snapshot.shards.find((number) => !dead.has(number) && !thin.has(number) && !now.has(number));
    if (dropped !== undefined) throw refusal(snapshot, `what shard ${dropped} holds`);
  }
  for (const [shard, blocks] of toCopy) {
    const users = [...after].filter(([snapshot]) => snapshot.shards.includes(shard));
    const [user, shards] = users[0] as (typeof users)[number];
    const inAll = new Set(shards.filter((number) => !thin.has(number) && users.every(([, others]) => others.includes(number))));
    const digests = blocks.digests();
    for (let at = 0; at < digests.length; at += DIGEST_BYTES) {
      if (index.shardOf(digests, at, (number) => inAll.has(number)) !== undefined) continue;
      throw refusal(user, `block ${blockText(digests.subarray(at, at + DIGEST_BYTES))}`);
    }
  }
}

function refusal(snapshot: SnapshotRecord, what: string): ShardctlError {
  return new ShardctlError(
    'DAMAGE',
    `${snapshotName(snapshot)} needs ${what}, and no shard of it that is to stay has that: nothing is removed`,
    {
      hint: '`shardctl verify` says which snapshots are not whole, and what helps',
    },
  );
}
