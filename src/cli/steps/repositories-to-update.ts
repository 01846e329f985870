/** Which repositories `update` and `watch` are about. */
import { shellWord } from '../../core/display.ts';
import { ShardctlError } from '../../core/errors.ts';
import type { RepositoryRecord } from '../../core/model.ts';
import type { Index } from '../../index/index.ts';
import { usage } from '../command-line/args.ts';
import type { Context } from '../command-line/context.ts';
import { inOrder, repositoriesNamed, thereIs } from '../command-line/repositories-named.ts';

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
export function assertHasSource(index: Index, { name, source }: Pick<RepositoryRecord, 'name' | 'source'>): void {
  if (source !== '') return;
  throw new ShardctlError('SOURCE_MISSING', `${name} has nothing to be updated from: ${originOf(index, name)}`, {
    hint: `say once where its source is: \`shardctl add DIR --name ${shellWord(name)}\``,
  });
}

/** Why a repository has no source. */
function originOf(index: Index, name: string): string {
  const head = index.snapshot(name, index.repository(name)?.head ?? 0);
  if (head?.broughtBy === 'import-car') return 'it came as a CAR, and has no source';
  if (head?.broughtBy === 'recover') return 'it was recovered, and its source is not known any more';
  return 'it came as a CAR or was recovered, and has no source';
}
