/** `shardctl add DIR`: import a tree, or bring its repository up to date. */
import { existsSync, realpathSync } from 'node:fs';
import { basename, join } from 'node:path';
import { displayPath, shellWord } from '../../core/display.ts';
import { ShardctlError } from '../../core/errors.ts';
import { FETCH_DIRECTORY } from '../../core/fetch-directory.ts';
import type { ByteString } from '../../core/model.ts';
import { fsPath, toBytes } from '../../core/path-bytes.ts';
import { profileOf } from '../../dag/cid-profile.ts';
import { type Config, DEFAULT_PROFILE } from '../../home/config.ts';
import type { Index } from '../../index/index.ts';
import { checkRepositoryName } from '../../snapshot/repository-name.ts';
import { statSource } from '../../source/source.ts';
import type { Context } from '../command-line/context.ts';
import { readFilters } from '../command-line/filter-rules.ts';
import { runOptions } from '../command-line/run-options.ts';
import { peersOrDefault, planning, sharing } from '../session/session.ts';
import { exitCodeOf, importTree, planTree } from '../steps/import-tree.ts';
import { refuseOurs } from '../steps/our-places.ts';
import { withRunLog } from '../steps/run-log.ts';

export async function run(context: Context): Promise<number> {
  const { args, absolute, output } = context;
  const dir = absolute(args.argument(0));
  const source = toBytes(dir);
  // Everything that can be wrong with the command itself is found before a home is made or a lock is taken.
  const filters = [...rulesOfCopy(dir), ...readFilters(args, absolute)];
  const chunker = args.text('chunker');
  const profile = args.text('cid-profile');
  const options = runOptions(args, absolute);
  if (profile !== undefined || chunker !== undefined) profileOf(profile ?? DEFAULT_PROFILE, chunker);
  const repository = checkRepositoryName(args.text('name') ?? basename(dir));
  const requestIn = (config: Config) => ({
    repository,
    source,
    metadata: !args.flag('no-metadata'),
    profile: profileOf(profile ?? config.profile, chunker),
    chunker,
    filters,
    copyLinks: args.flag('copy-links'),
  });

  return await withRunLog(context, [repository], async (log) => {
    statSource(source);
    refuseOurs(context, { peers: [] }, source);
    if (options.dryRun) {
      return await planning(context, async (session) => {
        checkSource(context, session.index, repository, source);
        return exitCodeOf(await planTree(context, session, requestIn(session.config), options));
      });
    }
    const summary = await sharing(
      context,
      async (session) => {
        const peers = await peersOrDefault(context, session);
        return await session.withRepository(repository, async () => {
          checkSource(context, session.index, repository, source);
          return await importTree(context, { ...session, peers }, requestIn(session.config), options);
        });
      },
      { remaking: { repository } },
    );
    log.summary(summary);
    if (args.flag('root-only') && !context.json && summary.gate?.outcome !== 'held') output.line(summary.tree);
    return exitCodeOf(summary);
  });
}

/** A directory that `fetch` has made: what it remembers there is not part of the mirror. The rule stays with the repository, as others do. */
function rulesOfCopy(dir: string): readonly ByteString[] {
  return ['entries', 'lock'].some((mark) => existsSync(join(dir, FETCH_DIRECTORY, mark))) ? [`- /${FETCH_DIRECTORY}/`] : [];
}

/** Two mirrors whose directories have the same name must not replace each other; one that has moved may go on. */
function checkSource(context: Context, index: Index | undefined, repository: string, source: ByteString): void {
  const known = index?.repository(repository);
  // A recovered home does not know where its repositories came from.
  if (known === undefined || known.source === source || known.source === '') return;
  const before = displayPath(known.source);
  if (context.args.text('name') === undefined && isThere(known.source)) {
    throw new ShardctlError('USAGE', `repository ${repository} is the import of ${before}, which is still there`, {
      hint: `to import both, give this one a name of its own with --name; to go on with the new place, say --name ${shellWord(repository)}`,
    });
  }
  context.reporter.event({
    type: 'warning',
    message: `repository ${repository} was imported from ${before} before, and now is from ${displayPath(source)}`,
  });
}

function isThere(source: ByteString): boolean {
  try {
    return realpathSync(fsPath(source)) !== '';
  } catch {
    return false;
  }
}
