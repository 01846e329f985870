/** `shardctl forget NAME [SNAPSHOT…]`: forget snapshots, by name or by a policy. */
import { EXIT, ShardctlError } from '../../errors.ts';
import { type Decision, keep } from '../../forget.ts';
import { requireHome } from '../../home/home.ts';
import type { Index } from '../../index-store/index.ts';
import type { SnapshotRecord } from '../../model.ts';
import { usage } from '../args.ts';
import type { Context } from '../context.ts';
import { resolveRef } from '../ref.ts';
import { counted } from '../reporter/text.ts';
import { answer, type Result } from '../results.ts';
import { policyOf } from '../retention-options.ts';
import { table } from '../table.ts';
import { reading, type Session, writing } from '../wire.ts';

export async function run(context: Context): Promise<number> {
  const { args, home, json, output, quiet } = context;
  const [name, ...named] = args.positionals as [string, ...string[]];
  const policy = policyOf(args);
  if ((policy === undefined) === (named.length === 0))
    throw usage(
      policy === undefined ? 'which snapshots? name them, or give a --keep rule' : 'either snapshots or --keep rules',
      args.command,
    );
  const dryRun = args.flag('dry-run');
  requireHome(home);
  const work = async ({ index }: Session) => {
    const repository = index.repository(name);
    if (repository === undefined)
      throw new ShardctlError('NOT_FOUND', `no repository "${name}"`, { hint: '`shardctl status` lists what is there' });
    const snapshots = index.snapshots(name);
    const decisions =
      policy === undefined ? chosen(snapshots, named, repository.head, index) : keep(snapshots, policy, repository.head, context.now());
    const gone = decisions.filter(({ reasons }) => reasons.length === 0).map(({ snapshot }) => snapshot.number);
    if (!dryRun) await index.forget(name, gone);
    if (quiet && !json) return EXIT.done;
    answer(context, decisions.map(resultOf), () => lines(decisions));
    const verb = dryRun ? 'would be forgotten' : 'forgotten';
    if (!json)
      output.line(
        `${counted(gone.length, 'snapshot')} ${verb}${gone.length > 0 && !dryRun ? '; to free their space, run shardctl prune' : ''}`,
      );
    return EXIT.done;
  };
  return dryRun ? await reading(context, work) : await writing(context, work);
}

/** By number, `NAME@3` or CID. */
function chosen(snapshots: readonly SnapshotRecord[], named: readonly string[], head: number, index: Index): Decision[] {
  const repository = snapshots[0]?.repository ?? '';
  const numbers = new Set(
    named.map((text) => {
      const { snapshot } = resolveRef(/^\d+$/.test(text) ? `${repository}@${text}` : text, index);
      if (snapshot.repository !== repository)
        throw new ShardctlError('USAGE', `${text} is not a snapshot of ${repository}, but of ${snapshot.repository}`);
      if (snapshot.number === head)
        throw new ShardctlError('USAGE', `${repository}@${head} is the head of ${repository}, which is never forgotten`);
      return snapshot.number;
    }),
  );
  return snapshots.toReversed().map((snapshot) => ({ snapshot, reasons: numbers.has(snapshot.number) ? [] : ['not named'] }));
}

function resultOf({ snapshot, reasons }: Decision): Result {
  const { repository, number, cid, time } = snapshot;
  return { type: 'retention', repository, number, cid, time, keep: reasons.length > 0, reasons };
}

function lines(decisions: readonly Decision[]): string[] {
  const rows = decisions.map(({ snapshot, reasons }) => [
    reasons.length > 0 ? 'keep' : 'remove',
    `${snapshot.repository}@${snapshot.number}`,
    snapshot.time,
    reasons.join(', '),
  ]);
  return table([['', 'SNAPSHOT', 'TIME', 'REASONS'], ...rows], 'llll');
}
