/** `shardctl repair`: mend what `verify` finds. */
import { EXIT } from '../../errors.ts';
import { requireHome } from '../../home/home.ts';
import { type Repaired, repair } from '../../repair.ts';
import { replicationOf } from '../add-options.ts';
import type { Context } from '../context.ts';
import { counted, formatSeconds } from '../reporter/text.ts';
import { answer } from '../results.ts';
import { allocateByOf, throttleOf, transfersOf } from '../transfer-options.ts';
import { type Session, writing } from '../wire.ts';

export async function run(context: Context): Promise<number> {
  const { args, home, json, now, output, quiet, reporter, signal } = context;
  const replication = replicationOf(args);
  const [allocateBy, transfers, throttle] = [allocateByOf(args), transfersOf(args), throttleOf(context)];
  const dryRun = args.flag('dry-run');
  requireHome(home);
  const work = async ({ config, index, peers }: Session) => {
    const started = now();
    const repaired = await repair({
      index,
      peers,
      replication: replication ?? config.replication,
      allocateBy: allocateBy ?? config.allocateBy,
      transfers,
      throttle,
      shardBytes: config.shardSize,
      spool: home.spool,
      heads: home.heads,
      readData: args.flag('read-data'),
      dryRun,
      emit: (event) => reporter.event(event),
      signal,
      now,
    });
    const seconds = (now() - started) / 1000;
    for (const { what, snapshots } of repaired.lost) {
      output.note(`lost: ${what}, which ${snapshots.join(', ')} ${snapshots.length === 1 ? 'needs' : 'need'}`);
    }
    if (!quiet || json) answer(context, [{ type: 'repaired', ...repaired, seconds }], () => lines(repaired, seconds));
    return repaired.lost.length > 0 || repaired.tooFew > 0 ? EXIT.damage : EXIT.done;
  };
  // Also a dry run puts blocks together in the spool, to see whether they make whole shards: no other run may use it then.
  return await writing(context, work, { dropTorn: !dryRun });
}

function lines({ dryRun, shards, mended, added, relisted, rewritten, tooFew, lost }: Repaired, seconds: number): string[] {
  const done = dryRun ? 'to be ' : '';
  const out = [`${counted(shards, 'shard')} looked at, ${formatSeconds(seconds)}`];
  if (mended > 0) out.push(`${done}mended: ${counted(mended, 'replica')}`);
  if (added > 0) out.push(`${done}added: ${counted(added, 'replica')}`);
  if (relisted > 0) out.push(`${done}listed again: ${counted(relisted, 'block')}`);
  if (rewritten > 0) out.push(`${counted(rewritten, 'snapshot')} got a new CID: no lost shard is needed any more`);
  if (tooFew > 0) out.push(`${counted(tooFew, 'shard')} still on too few peers: bring a peer back or add one, then repair again`);
  if (lost.length > 0)
    out.push(`${counted(lost.length, 'shard')} lost: \`shardctl add\` the source again to store the blocks anew, then repair again`);
  if (out.length === 1) out.push('nothing to mend');
  return out;
}
