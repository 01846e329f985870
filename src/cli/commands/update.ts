/** `shardctl update [NAME…|--all]`: bring repositories up to date, each from its remembered source with its remembered settings. */

import { ShardctlError, worstOf } from '../../core/errors.ts';
import type { RepositoryRecord } from '../../core/model.ts';
import { profileNamed } from '../../dag/cid-profile.ts';
import { requireHome } from '../../home/home.ts';
import { usage } from '../command-line/args.ts';
import type { Context } from '../command-line/context.ts';
import { repositoryNamed } from '../command-line/repositories-named.ts';
import { runOptions } from '../command-line/run-options.ts';
import { type Told, toldOf } from '../command-line/told-options.ts';
import { peersOrDefault, reading, type Session, sharing } from '../session/session.ts';
import { exitCodeOf, importTree, planTree } from '../steps/import-tree.ts';
import { assertHasSource, repositoriesToUpdate } from '../steps/repositories-to-update.ts';
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
        eachOf(context, log, repositoriesToUpdate(context, session.index), async (it) =>
          planTree(context, session, await requestOf(context, session, it, told), options),
        ),
      );
    }
    const updating = async () =>
      await sharing(context, async (session) => {
        const { index, withRepository } = session;
        const repositories = repositoriesToUpdate(context, index);
        const peers = await peersOrDefault(context, session);
        return await eachOf(context, log, repositories, ({ name }) =>
          withRepository(name, async () => {
            // Read again: another run may have updated it meanwhile.
            const it = repositoryNamed(index.repositories(), name);
            const summary = await importTree(context, { ...session, peers }, await requestOf(context, session, it, told), options);
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

/** A repository that fails does not keep the others from their update. */
async function eachOf(
  { reporter, signal }: Context,
  log: RunLog,
  repositories: readonly RepositoryRecord[],
  work: (repository: RepositoryRecord) => Promise<Parameters<typeof exitCodeOf>[0]>,
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
async function requestOf(
  context: Context,
  session: Pick<Session, 'config' | 'index'>,
  { name, source, profile, chunker, metadata, filters, copyLinks }: RepositoryRecord,
  told: Told | undefined,
) {
  await assertHasSource(context, session, { name, source });
  const request = { repository: name, source, profile: profileNamed(profile), chunker, metadata, filters, copyLinks: copyLinks === true };
  if (told === undefined) return request;
  // Nobody can tell which symlinks lead to what has changed.
  if (copyLinks === true) throw usage(`${name} was added with --copy-links: it has to be looked at as a whole`);
  return { ...request, told: told.in(source), fullEvery: told.fullEvery };
}
