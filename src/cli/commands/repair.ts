/** `shardctl repair`: mend what `verify` finds. */
import { EXIT } from '../../core/errors.ts';
import { requireHome } from '../../home/home.ts';
import { type Repaired, repair } from '../../maintain/repair/repair.ts';
import { usage } from '../command-line/args.ts';
import type { Context } from '../command-line/context.ts';
import { storageOptions } from '../command-line/storage-options.ts';
import { counted, formatSeconds } from '../reporter/text.ts';
import { answer } from '../results/results.ts';
import { freeing } from '../session/full-disk.ts';
import { reading, type Session } from '../session/session.ts';
import { type Figures, withFigures } from '../steps/maintenance-log.ts';
import { maintenanceRun } from '../steps/maintenance-run.ts';

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
    for (const { what, snapshots, blocks } of repaired.lost) {
      const part = blocks === undefined ? '' : `${counted(blocks, 'block')} of `;
      output.note(`lost: ${part}${what}, which ${snapshots.join(', ')} ${snapshots.length === 1 ? 'needs' : 'need'}`);
    }
    if (!quiet || json) answer(context, [{ type: 'repaired', ...repaired, seconds }], () => lines(repaired, seconds));
    if (repaired.lost.length > 0 || repaired.tooFew > repaired.away) return EXIT.damage;
    return repaired.away > 0 ? EXIT.tooFewPeers : EXIT.done;
  };
  return await withFigures(context, 'repair', true, (figures) => {
    const counted = (session: Session) => work(session, figures);
    return dryRun ? reading(context, counted, { checkBlocks: true }) : freeing(context, counted, { checkBlocks: true });
  });
}

function lines(
  { dryRun, shards, mended, added, relisted, rewritten, runs, tooFew, lost, identities, found }: Repaired,
  seconds: number,
): string[] {
  const done = dryRun ? 'to be ' : '';
  const out = [`${counted(shards, 'shard')} looked at, ${formatSeconds(seconds)}`];
  if (mended > 0) out.push(`${done}mended: ${counted(mended, 'replica')}`);
  if (identities > 0) out.push(`${done}written again: peer.json of ${counted(identities, 'peer')}`);
  if (found > 0) out.push(`${done}counted again: ${counted(found, 'replica')} that no record named`);
  if (added > 0) out.push(`${done}added: ${counted(added, 'replica')}`);
  if (runs > 0) out.push(`${done}made anew: ${counted(runs, 'file')} of the block table`);
  if (relisted > 0) out.push(`${done}listed again: ${counted(relisted, 'block')}`);
  if (rewritten > 0) out.push(`${counted(rewritten, 'snapshot')} got a new CID: all that it needs is in the shards that it names now`);
  if (tooFew > 0) out.push(`${counted(tooFew, 'shard')} still on too few peers: bring a peer back or add one, then repair again`);
  if (lost.length > 0)
    out.push(
      `blocks of ${counted(lost.length, 'shard')} are lost, and all else can be read: \`shardctl add\` the source again to store them anew, then \`shardctl repair\``,
    );
  if (out.length === 1) out.push('nothing to mend');
  return out;
}
