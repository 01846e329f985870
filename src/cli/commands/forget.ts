/** `shardctl forget NAME SNAPSHOT…`, or `NAME…|--all` with `--keep` rules: forget snapshots, by name or by a policy. */
import { shellWord } from '../../core/display.ts';
import { EXIT, ShardctlError, worstOf } from '../../core/errors.ts';
import type { RepositoryRecord } from '../../core/model.ts';
import { requireHome } from '../../home/home.ts';
import type { Policy } from '../../home/retention.ts';
import type { Index } from '../../index/index.ts';
import { type Decision, keep } from '../../maintain/forget.ts';
import { mayBePublished } from '../../snapshot/published.ts';
import { usage } from '../command-line/args.ts';
import type { Context } from '../command-line/context.ts';
import { isDated, resolveRef } from '../command-line/ref.ts';
import { inOrder, repositoriesNamed, repositoryNamed } from '../command-line/repositories-named.ts';
import { policyOf } from '../command-line/retention-options.ts';
import { counted } from '../reporter/text.ts';
import { answer, type Result } from '../results/results.ts';
import { table } from '../results/table.ts';
import { freeingBeside, isNoSpace } from '../session/full-disk.ts';
import { reading } from '../session/session.ts';

export async function run(context: Context): Promise<number> {
  const { args, home, json, now, output, quiet, reporter, signal } = context;
  const policy = policyOf(args);
  checkWords(context, policy);
  const dryRun = args.flag('dry-run');
  requireHome(home);
  // A second attempt, after the space ran out, does what the first one has decided: some of the snapshots may be gone by then.
  const decided = new Map<string, Decision[]>();
  const decide = (index: Index, name: string) => {
    const decisions =
      decided.get(name) ??
      (policy === undefined
        ? chosen(index, name, args.positionals.slice(1))
        : keep(index.snapshots(name), policy, repositoryNamed(index.repositories(), name), now()));
    decided.set(name, decisions);
    return decisions;
  };
  const tell = (decisions: readonly Decision[]) => {
    const gone = decisions.filter(isGone);
    if (quiet && !json) return EXIT.done;
    answer(context, decisions.map(resultOf), () => lines(decisions, context.output.columns));
    const verb = dryRun ? 'would be forgotten' : 'forgotten';
    if (!json)
      output.line(`${counted(gone.length, 'snapshot')} ${verb}${gone.length > 0 && !dryRun ? '; `shardctl prune` frees their space' : ''}`);
    return EXIT.done;
  };
  if (dryRun)
    return await reading(context, async ({ index }) => tell(meant(context, index, policy).flatMap((name) => decide(index, name))));
  return await freeingBeside(context, async ({ index, withRepository }) => {
    const codes: number[] = [];
    const names = meant(context, index, policy);
    const forgetIn = (name: string) =>
      withRepository(name, async () => {
        const gone = decide(index, name).filter(isGone);
        if (gone.length === 0) return;
        const stay = await index.forget(
          name,
          gone.map(({ snapshot }) => snapshot.number),
        );
        const asTheyStay = (decision: Decision) =>
          stay.includes(decision.snapshot.number) ? { ...decision, reasons: ['published'] } : decision;
        if (stay.length > 0) decided.set(name, decide(index, name).map(asTheyStay));
      });
    for (const name of names) {
      try {
        await forgetIn(name);
      } catch (error) {
        // One that another run works on does not keep the others from it. Where space is short, all of it is tried again.
        if (signal.aborted || names.length === 1 || !(error instanceof ShardctlError) || isNoSpace(error)) throw error;
        decided.delete(name);
        const { code, message, hint, exitCode } = error;
        reporter.event({ type: 'failed', repository: name, code, message, ...(hint === undefined ? {} : { hint }) });
        codes.push(exitCode);
      }
    }
    return worstOf([tell([...decided.values()].flat()), ...codes]);
  });
}

function isGone({ reasons }: Decision): boolean {
  return reasons.length === 0;
}

/** Rules are for any number of repositories, or for all; snapshots are named of one. @throws ShardctlError `USAGE` */
function checkWords({ args }: Context, policy: Policy | undefined): void {
  const { length } = args.positionals;
  if (args.flag('all') && length > 0) throw usage('--all and a NAME do not go together', args.command);
  if (!args.flag('all') && length === 0) throw usage('which repository? name it, or say --all', args.command);
  if (policy === undefined && length < 2) throw usage('which snapshots? name them, or give a --keep rule', args.command);
}

/** Names of the repositories: each has its own history, and the rules count in each for themselves. */
function meant({ args }: Context, index: Index, policy: Policy | undefined): string[] {
  const all = index.repositories();
  if (policy === undefined) return [repositoryNamed(all, args.argument(0)).name];
  const [first, ...others] = args.positionals;
  const isSnapshot = (name: string) => !all.some((repository) => repository.name === name) && /^\d+$|@|^(baf|Qm)/.test(name);
  if (all.some(({ name }) => name === first) && others.some(isSnapshot)) throw usage('either snapshots or --keep rules', args.command);
  return (args.flag('all') ? inOrder(all) : repositoriesNamed(all, args.positionals)).map(({ name }) => name);
}

/** By number, `NAME@3` or CID, after the name of their repository. */
function chosen(index: Index, name: string, named: readonly string[]): Decision[] {
  const record = repositoryNamed(index.repositories(), name);
  const { name: repository, head, held } = record;
  const snapshots = index.snapshots(repository);
  const numbers = new Set(
    named.map((text) => {
      // Said again, as scripts do, it would mean the snapshot before, and so on until the first.
      if (isDated(text))
        throw new ShardctlError('USAGE', `${text} is a date, and snapshots are forgotten by their numbers`, {
          hint: `\`shardctl snapshots ${shellWord(repository)}\` lists them`,
        });
      const { snapshot } = resolveRef(/^\d+$/.test(text) ? `${repository}@${text}` : text, index);
      if (snapshot.repository !== repository)
        throw new ShardctlError('USAGE', `${text} is not a snapshot of ${repository}, but of ${snapshot.repository}`);
      if (snapshot.number === head)
        throw new ShardctlError('USAGE', `${repository}@${head} is the head of ${repository}, which is never forgotten`, {
          hint: `\`shardctl rm ${shellWord(repository)}\` removes the repository with all of its snapshots`,
        });
      if (snapshot.number === held)
        throw new ShardctlError('USAGE', `${repository}@${held} is held back by the gate, and the next update starts from it`, {
          hint: `\`shardctl update ${shellWord(repository)}\` replaces it as soon as the source is whole`,
        });
      if (mayBePublished(record, snapshot.number))
        throw new ShardctlError('USAGE', publishedLine(record, snapshot.number), {
          hint: `\`shardctl publish ${shellWord(repository)}\` moves the name to the newest`,
        });
      return snapshot.number;
    }),
  );
  return snapshots.toReversed().map((snapshot) => ({ snapshot, reasons: numbers.has(snapshot.number) ? [] : ['not named'] }));
}

function publishedLine({ name, published }: RepositoryRecord, number: number): string {
  if (number === published) return `${name}@${number} is published: the IPNS name of ${name} points at it`;
  return `${name}@${number} may be published: a run began to point the IPNS name of ${name} at it, and nothing was published since`;
}

function resultOf({ snapshot, reasons }: Decision): Result {
  const { repository, number, cid, time } = snapshot;
  return { type: 'retention', repository, number, cid, time, keep: reasons.length > 0, reasons };
}

function lines(decisions: readonly Decision[], columns: number | undefined): string[] {
  const rows = decisions.map(({ snapshot, reasons }) => [
    reasons.length > 0 ? 'keep' : 'remove',
    `${snapshot.repository}@${snapshot.number}`,
    snapshot.time,
    reasons.join(', '),
  ]);
  return table([['', 'SNAPSHOT', 'TIME', 'REASONS'], ...rows], 'llll', columns);
}
