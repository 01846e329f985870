/** `shardctl peers drain PEER`: everything on it goes elsewhere, and nothing new comes. */
import { drain } from '../../drain.ts';
import { EXIT } from '../../errors.ts';
import { requireHome } from '../../home/home.ts';
import type { Moved } from '../../move/run.ts';
import { reclaim } from '../../reclaim.ts';
import type { Context } from '../context.ts';
import { movedLines } from '../moved.ts';
import { assertOnePeer, setDrained } from '../peer-settings.ts';
import { answer } from '../results.ts';
import { storingOptions, storingRun } from '../storing-run.ts';
import { reading, type Session, writing } from '../wire.ts';

export async function run(context: Context): Promise<number> {
  const { args, home, json, now, output, quiet, reporter } = context;
  const name = args.positionals[0] as string;
  const options = storingOptions(context);
  const dryRun = args.flag('dry-run');
  requireHome(home);
  const mark = (isDrained: boolean) => writing(context, async ({ config }) => setDrained(home, config, name, isDrained));
  if (args.flag('undo')) {
    await mark(false);
    if (!quiet && !json) output.line(`peer ${name} is given shards again`);
    return EXIT.done;
  }

  const work = async (session: Session) => {
    assertOnePeer(session.config, name);
    const started = now();
    const moved: Moved = await drain({ ...(await storingRun(context, session, options)), dryRun }, name);
    const drained = session.peers.get(name);
    if (args.flag('gc') && !dryRun && drained !== undefined) await reclaim(new Map([[name, drained]]), (event) => reporter.event(event));
    const seconds = (now() - started) / 1000;
    if (!quiet || json) {
      answer(context, [{ type: 'moved-shards', ...moved, seconds }], () => [
        ...movedLines(moved, seconds),
        ...(dryRun || moved.left > 0 ? [] : [`nothing of this home is left on ${name}: \`shardctl peers rm ${name}\` takes it out`]),
      ]);
    }
    return moved.left > 0 ? EXIT.damage : EXIT.done;
  };
  if (dryRun) return await reading(context, work);
  // Remembered before anything moves: an update that comes in between must not put new shards there.
  await mark(true);
  return await writing(context, work);
}
