/** shardctl's own directory: the paths of its parts, and whether a directory is a home or may become one. */
import { existsSync, lstatSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { makeDirectories } from '../core/durable-files.ts';
import { errnoOf, ioError, ShardctlError } from '../core/errors.ts';
import { isForeign } from './foreign.ts';

/** Absolute paths of everything in a home. */
export interface HomePaths {
  readonly dir: string;
  /** Settings and their format. A directory that has this file is a home. */
  readonly config: string;
  /** The last validated settings: a cache of `config`, see `home/config-file.ts`. */
  readonly configCache: string;
  /** The home's ID, see `home/identity.ts`. */
  readonly identity: string;
  /** Directory of the run locks, see `home/lock.ts`. */
  readonly locks: string;
  /** Directory of what the last runs came to, see `home/runs/records.ts`. */
  readonly runs: string;
  /** In it, the directory of the runs that have failed; there is none before the first. */
  readonly failures: string;
  /** Directory of what is running now, see `home/runs/running.ts`. */
  readonly running: string;
  /** A file for each repository with the CID of its newest snapshot, for when the index is lost. */
  readonly heads: string;
  /** Directory of the index. */
  readonly index: string;
  /** Entries that interrupted runs imported. */
  readonly pending: string;
  /** Shards on their way to the peers. */
  readonly spool: string;
  /** Embedded local peers. */
  readonly peers: string;
  /** What the home follows; there is none in a home of other kinds. */
  readonly follow: string;
  /** What `serve` computes once and keeps; anybody may delete it at any time. */
  readonly cache: string;
}

/** Names in a home, without its settings. */
export const HOME_PARTS = ['home.json', 'lock', 'runs', 'heads', 'index', 'spool', 'peers', 'ballast', 'follow.json', 'cache'] as const;

/** @param dir absolute */
export function homePaths(dir: string): HomePaths {
  return {
    dir,
    config: join(dir, 'config.json'),
    configCache: join(dir, 'config.checked.json'),
    identity: join(dir, 'home.json'),
    locks: join(dir, 'lock'),
    runs: join(dir, 'runs'),
    failures: join(dir, 'runs', 'failed'),
    running: join(dir, 'runs', 'now'),
    heads: join(dir, 'heads'),
    index: join(dir, 'index'),
    pending: join(dir, 'index', 'pending'),
    spool: join(dir, 'spool'),
    peers: join(dir, 'peers'),
    follow: join(dir, 'follow.json'),
    cache: join(dir, 'cache'),
  };
}

/** Throws `NOT_FOUND` when there is no home here yet, or when it has lost its settings. */
export function requireHome(paths: HomePaths): void {
  if (existsSync(paths.config)) return;
  assertNotLost(paths);
  assertNotShut(paths);
  throw new ShardctlError('NOT_FOUND', `no shardctl home at ${paths.dir}`, {
    hint: 'run `shardctl add DIR` first, or name another home with --home or SHARDCTL_HOME; one that was lost: `shardctl recover --from PEER`',
  });
}

/**
 * Makes the directory of a home unless it is there. A directory with other files is refused, so that a mistake in `--home` does not
 * put shards among somebody's files.
 * @throws ShardctlError `USAGE` when the place is taken, `NOT_FOUND` when it is a home that has lost its settings, `NO_SPACE` or `IO` when
 * it cannot be made
 * @returns whether it is a new home, without settings yet
 */
export function ensureHome(paths: HomePaths): boolean {
  if (existsSync(paths.config)) return false;
  assertNotLost(paths);
  // A lock and half-written settings come from a first run that has died, or is still busy, before its settings were written.
  const others = namesIn(paths.dir).filter((name) => name !== 'lock' && !name.startsWith('config.') && !isForeign(name));
  if (others.length > 0) {
    // Not somebody's files, but those of another first run, which has made the home since its settings were looked for.
    if (existsSync(paths.config)) return false;
    throw new ShardctlError('USAGE', `${paths.dir} is not a shardctl home, and it is not empty (it holds "${others[0]}")`, {
      hint: 'name a new or empty directory with --home or SHARDCTL_HOME',
    });
  }
  try {
    makeDirectories(paths.dir);
  } catch (error) {
    throw ioError(error, 'creating the home', paths.dir);
  }
  return true;
}

/** Where only the settings are gone, the directory is still a home: a new home in its place would not know its peers. */
function assertNotLost({ dir, config, configCache, index }: HomePaths): void {
  if (!existsSync(index) || !existsSync(configCache)) return;
  // Another first run may have made the home since its settings were looked for.
  if (existsSync(config)) return;
  const isLink = lstatSync(config, { throwIfNoEntry: false }) !== undefined;
  const what = isLink ? `${config} is a link that leads nowhere` : `${config} is gone`;
  throw new ShardctlError('NOT_FOUND', `the home at ${dir} has lost its settings: ${what}`, {
    hint: 'run `shardctl config --restore`: it writes them again as they were last found good',
  });
}

/** A home is its owner's alone at first, so that a service's user may see that it is there, and not what is in it. */
function assertNotShut({ dir, config }: HomePaths): void {
  try {
    lstatSync(config);
  } catch (error) {
    if (errnoOf(error) !== 'EACCES') return;
    throw new ShardctlError('NOT_FOUND', `what is at ${dir} may not be read by this user`, {
      hint: 'run as the user that the home belongs to, or let others read it as that user: `shardctl config shared yes`',
    });
  }
}

function namesIn(dir: string): string[] {
  try {
    return readdirSync(dir);
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return [];
    if (errnoOf(error) === 'ENOTDIR')
      throw new ShardctlError('USAGE', `${dir} is not a directory`, { hint: 'name a directory with --home or SHARDCTL_HOME' });
    throw ioError(error, 'opening the home', dir);
  }
}
