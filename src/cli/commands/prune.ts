/** `shardctl prune`: free the space of what no retained snapshot needs. */
import { EXIT } from '../../errors.ts';
import { requireHome } from '../../home/home.ts';
import { formatSize } from '../../home/sizes.ts';
import { type Pruned, prune } from '../../prune.ts';
import { reclaim } from '../../reclaim.ts';
import { sizeOf } from '../add-options.ts';
import { usage } from '../args.ts';
import type { Context } from '../context.ts';
import { counted, formatSeconds } from '../reporter/text.ts';
import { answer } from '../results.ts';
import { maxUnusedOf } from '../retention-options.ts';
import { storingOptions, storingRun } from '../storing-run.ts';
import { reading, type Session, writing } from '../wire.ts';

export async function run(context: Context): Promise<number> {
  const { args, home, json, now, quiet, reporter } = context;
  requireHome(home);
  if (args.flag('orphans')) return await (await import('../prune-orphans.ts')).pruneOrphans(context);
  for (const option of ['owner', 'force'] as const) {
    if (args.text(option) !== undefined || args.flag(option)) throw usage(`--${option} goes with --orphans`, args.command);
  }
  const limits = { maxUnused: maxUnusedOf(args), maxRepack: sizeOf(args, 'max-repack') ?? Number.POSITIVE_INFINITY };
  const options = storingOptions(context);
  const dryRun = args.flag('dry-run');
  const work = async (session: Session) => {
    const started = now();
    const pruned = await prune(await storingRun(context, session, options), { ...limits, dryRun });
    const collected = args.flag('gc') && !dryRun ? await reclaim(session.peers, (event) => reporter.event(event)) : [];
    const seconds = (now() - started) / 1000;
    if (!quiet || json) answer(context, [{ type: 'pruned', ...pruned, collected, seconds }], () => lines(pruned, collected, seconds));
    return pruned.left > 0 ? EXIT.tooFewPeers : EXIT.done;
  };
  return dryRun ? await reading(context, work) : await writing(context, work);
}

function lines(pruned: Pruned, collected: readonly string[], seconds: number): string[] {
  const would = pruned.dryRun ? 'to be ' : '';
  const out = [
    `${would}removed: ${counted(pruned.removedShards, 'shard')}, ${counted(pruned.removedStrays, 'leftover')}`,
    `${would}repacked: ${counted(pruned.repackedShards, 'shard')}, ${formatSize(pruned.repackedBytes)} copied${pruned.dryRun ? '' : ` to ${counted(pruned.newShards, 'shard')}`}`,
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
  if (!pruned.dryRun) out.push(`took ${formatSeconds(seconds)}`);
  return out;
}
