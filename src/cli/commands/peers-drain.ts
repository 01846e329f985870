/** `shardctl peers drain PEER`: everything on it goes elsewhere, and nothing new comes. */
import { shellWord } from '../../core/display.ts';
import { EXIT } from '../../core/errors.ts';
import { saveConfig } from '../../home/config-file.ts';
import { requireHome } from '../../home/home.ts';
import { reclaim } from '../../maintain/collect-garbage.ts';
import { drain } from '../../maintain/move/drain.ts';
import type { Moved } from '../../maintain/move/move-run.ts';
import type { Context } from '../command-line/context.ts';
import { storageOptions } from '../command-line/storage-options.ts';
import { movedCode, movedLines } from '../results/moved.ts';
import { answer } from '../results/results.ts';
import { freeing } from '../session/full-disk.ts';
import { withDrained } from '../session/peer-settings.ts';
import { withPeers } from '../session/peers.ts';
import { reading, type Session } from '../session/session.ts';
import { maintenanceRun } from '../steps/maintenance-run.ts';

export async function run(context: Context): Promise<number> {
  const { args, home, json, now, output, quiet, reporter } = context;
  const name = args.argument(0);
  const options = storageOptions(context.args);
  const dryRun = args.flag('dry-run');
  requireHome(home);
  if (args.flag('undo')) {
    await freeing(context, async ({ config }) => saveConfig(home, withDrained(config, name, false)));
    if (!quiet && !json) output.line(`peer ${name} is given shards again`);
    return EXIT.done;
  }

  const work = async (session: Session) => {
    const started = now();
    const settings = withDrained(session.config, name, true);
    const moved = await withPeers(context, settings, async (peers) => {
      const wasDrained = session.peers.get(name)?.drained === true;
      let isBegun = false;
      const begin = () => {
        isBegun = true;
        // Before anything moves: an update that comes when this run has died must not put new shards there.
        if (!wasDrained) saveConfig(home, settings);
      };
      const asDrained = { ...session, config: settings, peers };
      try {
        const done: Moved = await drain({ ...(await maintenanceRun(context, asDrained, options)), dryRun }, name, begin);
        const drained = peers.get(name);
        if (args.flag('gc') && !dryRun && drained !== undefined)
          await reclaim(new Map([[name, drained]]), (event) => reporter.event(event));
        return done;
      } catch (error) {
        if (wasDrained && !isBegun && !quiet)
          output.note(
            `peer ${name} stays drained, as it was: \`shardctl peers drain ${shellWord(name)} --undo\` has it given shards again`,
          );
        throw error;
      }
    });
    const seconds = (now() - started) / 1000;
    if (!quiet || json) {
      answer(context, [{ type: 'moved-shards', ...moved, seconds }], () => [
        ...movedLines(moved, seconds),
        ...(dryRun || moved.left > 0
          ? []
          : [`nothing of this home is left on ${name}: \`shardctl peers rm ${shellWord(name)}\` takes it out`]),
      ]);
    }
    return movedCode(moved);
  };
  return dryRun ? await reading(context, work) : await freeing(context, work);
}
