/** Mends the block table: blocks of damaged segments, and blocks that it lacks, are listed again from the shards' manifests. */
import { isShortage, ShardctlError } from '../../core/errors.ts';
import { DIGEST_BYTES, type ShardRecord } from '../../core/model.ts';
import type { ShardContents } from '../../peer/peer.ts';
import { contentsOn } from '../../read/blocks/shard-contents.ts';
import type { RepairRun } from './repair-run.ts';

/** Reports the damaged segments and keeps their good pages. @returns how many segments are damaged */
export function mendBlockTable({ index, dryRun, emit }: RepairRun): number {
  const damaged = index.damagedSegments();
  for (const { problem } of damaged) emit({ type: 'damage', what: 'the block table', where: 'the index', detail: problem });
  if (damaged.length > 0 && !dryRun) index.mendSegments();
  return damaged.length;
}

/** Lists blocks again that the block table lacks. @returns how many */
export function relist({ index, dryRun, emit }: RepairRun, { number }: ShardRecord, what: string, { digests }: ShardContents): number {
  // Segments that are set aside list most of their blocks: how many will be missing shows when they are mended.
  if (dryRun && index.damagedSegments().length > 0) return 0;
  const missing: Buffer[] = [];
  for (let at = 0; at < digests.length; at += DIGEST_BYTES) {
    if (!index.lists(number, digests, at)) missing.push(digests.subarray(at, at + DIGEST_BYTES));
  }
  if (missing.length === 0) return 0;
  emit({
    type: 'damage',
    what,
    where: 'the index',
    detail: `${missing.length} of its blocks are not listed: what is damaged is the index, and not they`,
  });
  if (!dryRun) index.relist(number, Buffer.concat(missing));
  return missing.length;
}

/**
 * Lists the blocks of shards again that the run does not look at otherwise, by their manifests alone. Always those that an interrupted run
 * placed: the next run does not read files whose blocks are in them, so the table must list these blocks.
 * @param isMeant which others are meant
 */
export async function relistOthers(
  run: RepairRun,
  committed: ReadonlySet<number>,
  isMeant: (shard: ShardRecord) => boolean,
): Promise<number> {
  let relisted = 0;
  for (const shard of [...run.index.shards()]) {
    const isCommitted = committed.has(shard.number);
    if (isCommitted ? !isMeant(shard) : shard.state !== 'placed') continue;
    run.signal.throwIfAborted();
    try {
      relisted += relist(run, shard, `shard ${shard.number} ${shard.cid}`, await contentsOn(shard, run.peers));
    } catch (error) {
      // One that no snapshot names yet, and that cannot be read, is for the next run, which stores those files again; any other is told when its part has its turn.
      if (!(error instanceof ShardctlError) || isShortage(error)) throw error;
    }
  }
  return relisted;
}
