/** Which repositories `update` and `watch` are about. */
import { shellWord } from '../../core/display.ts';
import { ShardctlError } from '../../core/errors.ts';
import type { RepositoryRecord } from '../../core/model.ts';
import type { Index } from '../../index/index.ts';
import { usage } from '../command-line/args.ts';
import type { Context } from '../command-line/context.ts';
import { inOrder, repositoriesNamed, thereIs } from '../command-line/repositories-named.ts';
import { localPaths } from '../session/peers.ts';
import type { Session } from '../session/session.ts';

/** The repositories that are meant. With `--all` those without a source are passed over: nothing is wrong with them. */
export function repositoriesToUpdate({ args, reporter }: Context, index: Index): RepositoryRecord[] {
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

/** @throws ShardctlError `SOURCE_MISSING` when the repository came from elsewhere */
export async function assertHasSource(
  { home, now }: Context,
  { config, index }: Pick<Session, 'config' | 'index'>,
  { name, source }: Pick<RepositoryRecord, 'name' | 'source'>,
): Promise<void> {
  if (source !== '') return;
  // Loads zod, for an error alone.
  const { addCommand, notedSource } = await import('../session/home-notes.ts');
  const known = await notedSource(
    localPaths(home, config).map(([, path]) => path),
    name,
    now(),
  );
  const hint =
    known === undefined
      ? `say once where its source is: \`shardctl add DIR --name ${shellWord(name)}\``
      : `it goes on with, as a home noted that had it: \`${addCommand(name, known)}\``;
  throw new ShardctlError('SOURCE_MISSING', `${name} has nothing to be updated from: ${originOf(index, name)}`, { hint });
}

/** Why a repository has no source. */
function originOf(index: Index, name: string): string {
  const head = index.snapshot(name, index.repository(name)?.head ?? 0);
  if (head?.broughtBy === 'import-car') return 'it came as a CAR, and has no source';
  if (head?.broughtBy === 'recover') return 'it was recovered, and its source is not known any more';
  return 'it came as a CAR or was recovered, and has no source';
}
