/**
 * Notes which blocks of a shard no peer has. Nothing counts on them then, so that the next `add` or `update` stores them again; the good
 * blocks of the shard are read as before. The note is removed when a whole copy of the shard has been read.
 */

import { DIGEST_BYTES, MOST_BAD_BLOCKS, type ShardRecord } from '../../core/model.ts';
import { noteDoubt } from '../../index/files/doubts.ts';
import type { RepairRun } from './repair-run.ts';

/** A shard of which something is lost. */
export interface LossFound {
  readonly shard: ShardRecord;
  /** The blocks that nobody has, 32 bytes each; undefined when nobody knows what the shard held. */
  readonly lacking: Buffer | undefined;
}

/** Puts the heads that need the lost blocks in doubt: otherwise `update` would not read their files again, which have not changed (`update/doubted-head.ts`). */
export async function noteLosses({ index }: RepairRun, losses: readonly LossFound[]): Promise<void> {
  const noted = losses.map(({ shard, lacking }) => ({ before: shard, after: withLoss(shard, lacking) }));
  const changed = noted.filter(({ before, after }) => !sameLoss(before, after));
  if (changed.length === 0) return;
  const numbers = new Set(changed.map(({ after }) => after.number));
  for (const { name, head } of index.repositories()) {
    if (index.snapshot(name, head)?.shards.some((number) => numbers.has(number))) noteDoubt(index.doubtOf(name));
  }
  await index.updateShards(changed.map(({ after }) => after));
}

function withLoss({ bad: _, ...shard }: ShardRecord, lacking: Buffer | undefined): ShardRecord {
  const count = (lacking?.length ?? 0) / DIGEST_BYTES;
  if (lacking === undefined || count > MOST_BAD_BLOCKS) return { ...shard, state: 'lost' };
  const bad = Array.from({ length: count }, (_, i) => lacking.toString('hex', i * DIGEST_BYTES, (i + 1) * DIGEST_BYTES));
  return { ...shard, state: 'committed', bad };
}

/** Removes the note of a shard that is whole again. */
export function withoutLoss({ bad: _, ...shard }: ShardRecord): ShardRecord {
  return { ...shard, state: shard.state === 'lost' ? 'committed' : shard.state };
}

function sameLoss(a: ShardRecord, b: ShardRecord): boolean {
  return a.state === b.state && a.bad?.join() === b.bad?.join();
}
