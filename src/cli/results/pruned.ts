/** What `prune` and `rm` say of what they freed. */
import { formatSize } from '../../home/sizes.ts';
import type { Pruned } from '../../maintain/prune/prune.ts';
import { counted } from '../reporter/text.ts';

/** @param collected peers that gave back their space */
export function prunedLines(pruned: Pruned, collected: readonly string[]): string[] {
  const would = pruned.dryRun ? 'to be ' : '';
  const out = [
    `${would}removed: ${counted(pruned.removedShards, 'shard')}, ${counted(pruned.removedStrays, 'leftover')}`,
    `${would}repacked: ${counted(pruned.repackedShards, 'shard')}, ${formatSize(pruned.repackedBytes)} copied to ${counted(pruned.newShards, 'shard')}`,
    `${would}freed: ${counted(pruned.freedBlocks, 'block')}, ${formatSize(pruned.freedBytes)}`,
    `unused bytes that stay: ${formatSize(pruned.unusedBytes)}`,
  ];
  if (pruned.surplus > 0)
    out.push(`${would}let go: ${counted(pruned.surplus, 'replica')} more than are asked for, ${formatSize(pruned.surplusBytes)}`);
  if (pruned.rewrittenSnapshots > 0)
    out.push(
      `${counted(pruned.rewrittenSnapshots, 'snapshot')} ${pruned.dryRun ? 'to get' : 'got'} a new CID: the trees are the same, the shards are others`,
    );
  if (collected.length > 0) out.push(`space collected on ${collected.join(', ')}`);
  if (pruned.kept > 0) out.push(`kept for other homes: ${counted(pruned.kept, 'copy')}`);
  if (pruned.left > 0) out.push(`${counted(pruned.left, 'shard')} could not be removed: run prune again when the peers are back`);
  return out;
}
