/** Which runs may make an index where the home has lost one: that of `index/lost-index.ts`, seen with what the home has noted on its peers. */
import type { Config } from '../../home/config.ts';
import { repositoriesWithHeads } from '../../home/heads.ts';
import type { HomePaths } from '../../home/home.ts';
import { hasTables, lostIndex } from '../../index/lost-index.ts';
import type { Context } from '../command-line/context.ts';
import { localPaths } from './peers.ts';

/** What a run makes anew: `all` that was lost, or the repository of that name. */
export type Remaking = 'all' | { readonly repository: string };

/**
 * Whether the run may make a lost index anew. One that imports a single repository may if nothing else was lost: shards would get the
 * numbers of others', which `recover` could not bring back beside them any more.
 * @param homeId by which its notes are found @throws ShardctlError `NOT_FOUND` when only the notes tell that there was an index
 */
export async function mayRemake(
  { home, now, reporter }: Context,
  config: Config,
  homeId: string,
  remaking: Remaking | undefined,
): Promise<boolean> {
  if (remaking === 'all') return true;
  const isThere = hasTables(home.index);
  if (isThere && remaking === undefined) return false;
  const lost = new Set([...repositoriesWithHeads(home.heads), ...(isThere ? [] : await notedNames(home, config, homeId, now()))]);
  const mayBe = remaking !== undefined && [...lost].every((name) => name === remaking.repository);
  if (isThere || lost.size === 0) return mayBe;
  if (!mayBe) throw lostIndex(home.index);
  const message = `the home at ${home.dir} has lost its index: a new one is made, without the earlier snapshots of ${[...lost].join()}`;
  reporter.event({ type: 'warning', message });
  return true;
}

/** The repositories of which the home has noted something. Loads zod if any home has. */
async function notedNames(home: HomePaths, config: Config, homeId: string, now: number): Promise<string[]> {
  const { notesOn } = await import('./home-notes.ts');
  const paths = localPaths(home, config).map(([, path]) => path);
  const notes = await notesOn(paths, now);
  return (notes.get(homeId)?.repositories ?? []).map(({ name }) => name);
}
