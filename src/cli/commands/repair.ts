/** `shardctl repair`: mend what `verify` finds. */
import { requireHome } from '../../home/home.ts';
import { repair } from '../../maintain/repair/repair.ts';
import { usage } from '../command-line/args.ts';
import type { Context } from '../command-line/context.ts';
import { storageOptions } from '../command-line/storage-options.ts';
import { lostLines, repairedLines } from '../results/repaired.ts';
import { answer } from '../results/results.ts';
import { freeing } from '../session/full-disk.ts';
import { reading, type Session } from '../session/session.ts';
import { type Figures, withFigures } from '../steps/maintenance-log.ts';
import { maintenanceRun } from '../steps/maintenance-run.ts';
import { mendedCode } from '../steps/mend-missing.ts';

export async function run(context: Context): Promise<number> {
  const { args, home, json, now, output, quiet } = context;
  const options = storageOptions(context.args);
  const dryRun = args.flag('dry-run');
  if (args.text('read-data')) throw usage('--read-data of repair reads everything: it takes no value', args.command);
  requireHome(home);
  const work = async (session: Session, figures: Figures) => {
    const started = now();
    const repaired = await repair({ ...(await maintenanceRun(context, session, options)), readData: args.flag('read-data'), dryRun });
    const seconds = (now() - started) / 1000;
    figures.repairMended = repaired.mended;
    figures.repairAdded = repaired.added;
    figures.repairLacking = repaired.tooFew;
    figures.repairLost = repaired.lost.length;
    for (const line of lostLines(repaired.lost)) output.note(line);
    if (!quiet || json) answer(context, [{ type: 'repaired', ...repaired, seconds }], () => repairedLines(repaired, seconds));
    return mendedCode(repaired);
  };
  return await withFigures(context, 'repair', true, (figures) => {
    const counted = (session: Session) => work(session, figures);
    return dryRun ? reading(context, counted, { checkBlocks: true }) : freeing(context, counted, { checkBlocks: true });
  });
}
