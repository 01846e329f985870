/** What `peers drain` and `rebalance` say at their end. */
import { EXIT } from '../../core/errors.ts';
import { formatSize } from '../../home/sizes.ts';
import type { Moved } from '../../maintain/move/move-run.ts';
import { counted, formatSeconds } from '../reporter/text.ts';

export function movedLines(
  { dryRun, copied, copiedBytes, removed, removedBytes, surplus, kept, left, peers }: Moved,
  seconds: number,
): string[] {
  const would = dryRun ? 'to be ' : '';
  const out = [
    `${would}copied: ${counted(copied, 'shard')}, ${formatSize(copiedBytes)}`,
    `${would}removed: ${counted(removed, 'shard')}, ${formatSize(removedBytes)}${surplus === 0 ? '' : ` (${counted(surplus, 'replica')} more than are asked for)`}`,
    ...peers.map(({ name, before, after }) => `peer ${name}: ${formatSize(before)} → ${formatSize(after)}`),
  ];
  if (kept > 0) out.push(`kept for other homes: ${counted(kept, 'copy')}`);
  if (left > 0) out.push(`${counted(left, 'shard')} could not be moved: mend what is named above, then run the command again`);
  if (copied === 0 && removed === 0 && kept === 0 && left === 0) return [`nothing to move${dryRun ? '' : `, ${formatSeconds(seconds)}`}`];
  if (!dryRun) out.push(`took ${formatSeconds(seconds)}`);
  return out;
}

/** Of what could not be moved: 44 where no whole copy can be read, 43 where no peer has room, 42 where peers do not answer. */
export function movedCode({ left, unreadable, full }: Moved): number {
  if (unreadable > 0) return EXIT.damage;
  if (full > 0) return EXIT.noSpace;
  return left > 0 ? EXIT.tooFewPeers : EXIT.done;
}
