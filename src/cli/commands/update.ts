/** `shardctl update [NAME…|--all]`: bring repositories up to date, each from its remembered source with its remembered settings. */

import { shellWord } from '../../core/display.ts';
import { ShardctlError, worstOf } from '../../core/errors.ts';
import type { Summary } from '../../core/events.ts';
import type { RepositoryRecord } from '../../core/model.ts';
import { profileNamed } from '../../dag/cid-profile.ts';
import { requireHome } from '../../home/home.ts';
import type { Index } from '../../index/index.ts';
import { usage } from '../command-line/args.ts';
import type { Context } from '../command-line/context.ts';
import { inOrder, repositoriesNamed, repositoryNamed, thereIs } from '../command-line/repositories-named.ts';
import { runOptions } from '../command-line/run-options.ts';
import { type Told, toldOf } from '../command-line/told-options.ts';
import { peersOrDefault, reading, sharing } from '../session/session.ts';
import { exitCodeOf, importTree, planTree } from '../steps/import-tree.ts';
import { type RunLog, withRunLog } from '../steps/run-log.ts';

export async function run(context: Context): Promise<number> {
  const { absolute, args, home } = context;
  const options = runOptions(args, absolute);
  const told = toldOf(args, absolute);
  if (args.flag('all') && args.positionals.length > 0) throw usage('--all and a NAME do not go together', args.command);
  requireHome(home);
  return await withRunLog(context, args.positionals, async (log) => {
    if (options.dryRun) {
      return await reading(context, (session) =>
        eachOf(context, log, chosen(context, session.index), (it) =>
          planTree(context, session, requestOf(session.index, it, told), options),
        ),
      );
    }
    const updating = async () =>
      await sharing(context, async (session) => {
        const { index, withRepository } = session;
        const repositories = chosen(context, index);
        const peers = await peersOrDefault(context, session);
        return await eachOf(context, log, repositories, ({ name }) =>
          withRepository(name, async () => {
            // Read again: another run may have updated it meanwhile.
            const it = repositoryNamed(index.repositories(), name);
            const summary = await importTree(context, { ...session, peers }, requestOf(index, it, told), options);
            log.summary(summary);
            if (args.flag('root-only') && !context.json && summary.gate?.outcome !== 'held') context.output.line(summary.tree);
            return summary;
          }),
        );
      });
    if (!args.flag('repair')) return await updating();
    const { mendingAfter } = await import('../steps/mend-missing.ts');
    return await mendingAfter(context, options, updating);
  });
}

/** The repositories that are meant. With `--all` those without a source are passed over: nothing is wrong with them. */
function chosen({ args, reporter }: Context, index: Index): RepositoryRecord[] {
  const all = index.repositories();
  if (all.length === 0 && args.positionals.length === 0)
    throw new ShardctlError('NOT_FOUND', 'there is no repository to update', { hint: 'run `shardctl add DIR` first' });
  if (!args.flag('all')) {
    if (args.positionals.length > 0) return repositoriesNamed(all, args.positionals);
    if (all.length > 1) throw usage(`which repository? ${thereIs(all)}; or say --all`, args.command);
    return [...all];
  }
  const without = all.filter(({ source }) => source === '');
  for (const { name } of inOrder(without)) reporter.event({ type: 'passed-over', repository: name, reason: originOf(index, name) });
  return inOrder(all.filter((repository) => !without.includes(repository)));
}

/** A repository that fails does not keep the others from their update. */
async function eachOf(
  { reporter, signal }: Context,
  log: RunLog,
  repositories: readonly RepositoryRecord[],
  work: (repository: RepositoryRecord) => Promise<Pick<Summary, 'problems' | 'gate'>>,
): Promise<number> {
  const codes = new Set<number>();
  for (const repository of repositories) {
    log.begin(repository.name);
    try {
      const code = exitCodeOf(await work(repository));
      log.end(repository.name, code);
      codes.add(code);
    } catch (error) {
      if (signal.aborted || repositories.length === 1 || !(error instanceof ShardctlError)) throw error;
      const { code, message, hint, exitCode } = error;
      reporter.event({ type: 'failed', repository: repository.name, code, message, ...(hint === undefined ? {} : { hint }) });
      log.end(repository.name, exitCode);
      codes.add(exitCode);
    }
  }
  return worstOf(codes);
}

/** @throws ShardctlError `SOURCE_MISSING` when it came from elsewhere */
function requestOf(
  index: Index,
  { name, source, profile, chunker, metadata, filters, copyLinks }: RepositoryRecord,
  told: Told | undefined,
) {
  if (source === '') {
    throw new ShardctlError('SOURCE_MISSING', `${name} has nothing to be updated from: ${originOf(index, name)}`, {
      hint: `say once where its source is: \`shardctl add DIR --name ${shellWord(name)}\``,
    });
  }
  const request = { repository: name, source, profile: profileNamed(profile), chunker, metadata, filters, copyLinks: copyLinks === true };
  if (told === undefined) return request;
  // Nobody can tell which symlinks lead to what has changed.
  if (copyLinks === true) throw usage(`${name} was added with --copy-links: it has to be looked at as a whole`);
  return { ...request, told: told.in(source), fullEvery: told.fullEvery };
}

/** Why a repository has no source. */
function originOf(index: Index, name: string): string {
  const head = index.snapshot(name, index.repository(name)?.head ?? 0);
  if (head?.broughtBy === 'import-car') return 'it came as a CAR, and has no source';
  if (head?.broughtBy === 'recover') return 'it was recovered, and its source is not known any more';
  return 'it came as a CAR or was recovered, and has no source';
}
