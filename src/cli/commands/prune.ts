/** `shardctl prune`: free the space of what no retained snapshot needs. */
import { EXIT } from '../../core/errors.ts';
import { requireHome } from '../../home/home.ts';
import { reclaim } from '../../maintain/collect-garbage.ts';
import { usage } from '../command-line/args.ts';
import type { Context } from '../command-line/context.ts';
import { sizeOf } from '../command-line/quantities.ts';
import { maxUnusedOf } from '../command-line/retention-options.ts';
import { storageOptions } from '../command-line/storage-options.ts';
import { formatSeconds } from '../reporter/text.ts';
import { prunedLines } from '../results/pruned.ts';
import { answer } from '../results/results.ts';
import { freeing } from '../session/full-disk.ts';
import { reading, type Session } from '../session/session.ts';
import { type Figures, withFigures } from '../steps/maintenance-log.ts';
import { maintenanceRun } from '../steps/maintenance-run.ts';
import { pruneWhatFits } from '../steps/prune-what-fits.ts';

export async function run(context: Context): Promise<number> {
  const { args, home, json, now, quiet, reporter } = context;
  requireHome(home);
  if (args.flag('orphans')) return await (await import('./prune-orphans.ts')).pruneOrphans(context);
  for (const option of ['owner', 'force'] as const) {
    if (args.text(option) !== undefined || args.flag(option)) throw usage(`--${option} goes with --orphans`, args.command);
  }
  const limits = { maxUnused: maxUnusedOf(args), maxRepack: sizeOf(args, 'max-repack') ?? Number.POSITIVE_INFINITY };
  const options = storageOptions(context.args);
  const dryRun = args.flag('dry-run');
  const work = async (session: Session, figures: Figures) => {
    const started = now();
    const pruned = await pruneWhatFits(await maintenanceRun(context, session, options), { ...limits, dryRun });
    const collected = args.flag('gc') && !dryRun ? await reclaim(session.peers, (event) => reporter.event(event)) : [];
    const seconds = (now() - started) / 1000;
    figures.pruneFreed = pruned.freedBytes;
    figures.pruneRemoved = pruned.removedShards;
    figures.pruneCopied = pruned.repackedBytes;
    figures.pruneUnused = pruned.unusedBytes;
    figures.pruneLeft = pruned.left;
    if (!quiet || json)
      answer(context, [{ type: 'pruned', ...pruned, collected, seconds }], () => [
        ...prunedLines(pruned, collected),
        ...(dryRun ? [] : [`took ${formatSeconds(seconds)}`]),
      ]);
    return pruned.left > 0 ? EXIT.tooFewPeers : EXIT.done;
  };
  return await withFigures(context, 'prune', true, (figures) => {
    const counted = (session: Session) => work(session, figures);
    return dryRun ? reading(context, counted) : freeing(context, counted);
  });
}
