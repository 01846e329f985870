/** `shardctl update [NAME…|--all]`: bring repositories up to date, each from its remembered source with its remembered settings. */
import { profileNamed } from '../../dag/profile.ts';
import { EXIT, ShardctlError } from '../../errors.ts';
import type { Problems } from '../../events.ts';
import { requireHome } from '../../home/home.ts';
import type { RepositoryRecord } from '../../model.ts';
import { usage } from '../args.ts';
import type { Context } from '../context.ts';
import { exitCodeOf, importTree, planTree } from '../import-run.ts';
import { type RunLog, withMetrics } from '../metrics-file.ts';
import { runOptions } from '../run-options.ts';
import { reading, writing } from '../wire.ts';

/** Of several repositories the worst end is the run's: nobody can do anything for the first, everybody waits for the last. */
const WORST_FIRST: readonly number[] = [
  EXIT.bug,
  EXIT.newerFormat,
  EXIT.damage,
  EXIT.noSpace,
  EXIT.tooFewPeers,
  EXIT.maxDelete,
  EXIT.notFound,
  EXIT.usage,
  EXIT.unreadable,
  EXIT.unstable,
];

export async function run(context: Context): Promise<number> {
  const { args, home } = context;
  const options = runOptions(args);
  if (args.flag('all') && args.positionals.length > 0) throw usage('--all and a NAME do not go together', args.command);
  requireHome(home);
  return await withMetrics(context, args.positionals, async (log) => {
    if (options.dryRun) {
      return await reading(context, (session) =>
        eachOf(context, log, chosen(context, session.index.repositories()), (it) => planTree(context, session, requestOf(it), options)),
      );
    }
    return await writing(context, (session) =>
      eachOf(context, log, chosen(context, session.index.repositories()), async (it) => {
        const summary = await importTree(context, session, requestOf(it), options);
        log.summary(summary);
        if (args.flag('root-only') && !context.json) context.output.line(summary.tree);
        return summary;
      }),
    );
  });
}

/** The repositories that are meant, in the order of their names. */
function chosen({ args }: Context, all: readonly RepositoryRecord[]): RepositoryRecord[] {
  const names = new Set(args.positionals);
  const known = `there is ${all.map(({ name }) => name).join(', ') || 'none yet'}`;
  const stranger = [...names].find((name) => !all.some((repository) => repository.name === name));
  if (stranger !== undefined) throw new ShardctlError('NOT_FOUND', `no repository "${stranger}"`, { hint: known });
  if (all.length === 0) throw new ShardctlError('NOT_FOUND', 'there is no repository to update', { hint: 'run `shardctl add DIR` first' });
  if (names.size === 0 && !args.flag('all') && all.length > 1) throw usage(`which repository? ${known}; or say --all`, args.command);
  const meant = names.size === 0 ? all : all.filter(({ name }) => names.has(name));
  return [...meant].sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** One that fails does not keep the others from their update. */
async function eachOf(
  { reporter, signal }: Context,
  log: RunLog,
  repositories: readonly RepositoryRecord[],
  work: (repository: RepositoryRecord) => Promise<{ readonly problems: Problems }>,
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
  return WORST_FIRST.find((code) => codes.has(code)) ?? EXIT.done;
}

function requestOf({ name, source, profile, chunker, metadata, filters }: RepositoryRecord) {
  if (source === '') {
    throw new ShardctlError('SOURCE_MISSING', `where ${name} comes from is not known: its home was recovered`, {
      hint: `say it once with \`shardctl add DIR --name ${name}\``,
    });
  }
  return { repository: name, source, profile: profileNamed(profile), chunker, metadata, filters };
}
