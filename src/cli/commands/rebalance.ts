/** `shardctl rebalance`: each peer gets its share, with as little movement as does. */
import { requireHome } from '../../home/home.ts';
import { reclaim } from '../../maintain/collect-garbage.ts';
import { rebalance } from '../../maintain/move/rebalance.ts';
import type { Context } from '../command-line/context.ts';
import { storageOptions } from '../command-line/storage-options.ts';
import { movedCode, movedLines } from '../results/moved.ts';
import { answer } from '../results/results.ts';
import { freeing } from '../session/full-disk.ts';
import { reading, type Session } from '../session/session.ts';
import { maintenanceRun } from '../steps/maintenance-run.ts';

export async function run(context: Context): Promise<number> {
  const { args, home, json, now, quiet, reporter } = context;
  const options = storageOptions(context.args);
  const dryRun = args.flag('dry-run');
  requireHome(home);
  const work = async (session: Session) => {
    const started = now();
    const moved = await rebalance({ ...(await maintenanceRun(context, session, options)), dryRun });
    if (args.flag('gc') && !dryRun) await reclaim(session.peers, (event) => reporter.event(event));
    const seconds = (now() - started) / 1000;
    if (!quiet || json) answer(context, [{ type: 'moved-shards', ...moved, seconds }], () => movedLines(moved, seconds));
    return movedCode(moved);
  };
  return dryRun ? await reading(context, work) : await freeing(context, work);
}
