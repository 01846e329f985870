/**
 * What others may read of what a run makes. In a home and on local peers nothing, unless its directory is open to them: then as much as
 * the umask allows. The umask is the process's, so that it holds for what LMDB and blockstore-fs make, too; where one of these places is
 * open, the directories of the others keep their own shut.
 */
import { existsSync, realpathSync, statSync } from 'node:fs';
import { join, relative } from 'node:path';
import process from 'node:process';
import { ShardctlError } from '../../core/errors.ts';
import { close, isOpen, isReachable, open } from '../../home/access.ts';
import type { Config, LocalPeerConfig } from '../../home/config.ts';
import { HOME_PARTS, type HomePaths } from '../../home/home.ts';
import { PEER_PARTS, SHARDS_IN } from '../../peer/local/directory/identity.ts';
import type { Context } from '../command-line/context.ts';

const FOR_NOBODY_ELSE = 0o077;

/** At the start of a run, before anything is made. @returns the umask of the user: what is made outside of a home goes by it */
export function beginPrivate(home: HomePaths): number {
  const umask = process.umask(FOR_NOBODY_ELSE);
  if (isOpen(home.index)) process.umask(umask);
  return umask;
}

/** When the settings are known: others are to read what goes to a peer that is open to them. @param peers paths of the local ones */
export function minPrivate(context: Context, peers: Iterable<readonly [LocalPeerConfig, string]>): void {
  for (const [peer, path] of peers) if (isOpen(join(path, SHARDS_IN[peer.layout]))) forOthersToo(context);
}

/** From here on what is made is made as by any other program. */
export function forOthersToo({ umask }: Pick<Context, 'umask'>): void {
  process.umask(umask);
}

/** Makes what lies outside of homes and peers. */
export function asUser<T>({ umask }: Pick<Context, 'umask'>, make: () => T): T {
  const ours = process.umask(umask);
  try {
    return make();
  } finally {
    process.umask(ours);
  }
}

/** Of a home that has just been made, or that is told what others may do there. */
export function setHomeOpen(context: Context, isShared: boolean): void {
  const { home, umask } = context;
  if (isShared) open(home.dir, HOME_PARTS, umask);
  else close(home.dir, HOME_PARTS);
  process.umask(isShared ? umask : FOR_NOBODY_ELSE);
}

/** The same of a local peer. */
export function setPeerOpen(context: Context, path: string, isShared: boolean): void {
  if (isShared) {
    open(path, PEER_PARTS, context.umask);
    forOthersToo(context);
  } else close(path, PEER_PARTS);
}

/** @throws ShardctlError `USAGE` when a home that is there, and is not meant for others, is to be made for them */
export function refuseToShare({ args, home }: Context, config: Config | undefined): void {
  if (!args.flag('shared') || args.command.words !== 'add' || config === undefined || config.shared === true) return;
  throw new ShardctlError('USAGE', `the home at ${home.dir} is there, and not meant to be read by others`, {
    hint: '`shardctl config shared yes` opens it to them',
  });
}

/** Each place that others can read, although nobody has said that they may, with what to do about it. @param peers paths of the local ones */
export function openPlaces(home: HomePaths, config: Config, peers: Iterable<readonly [LocalPeerConfig, string]>): string[] {
  const places: string[] = [];
  const isHomeOpen = isOpenHere(home.dir, 'index');
  if (isHomeOpen && config.shared !== true)
    places.push(told('this home', home.dir, 'shardctl config shared no', 'shardctl config shared yes'));
  for (const [{ name, layout, shared }, path] of peers) {
    const isPartOfHome = isHomeOpen && !relative(home.dir, path).startsWith('..');
    if (shared === true || isPartOfHome || !isOpenHere(path, SHARDS_IN[layout])) continue;
    const set = `shardctl peers set ${name}`;
    places.push(told(`peer "${name}"`, path, `${set} --no-shared`, `${set} --shared`));
  }
  return places;
}

function told(what: string, path: string, end: string, mean: string): string {
  return `other users of this machine can read ${what} (${path}): \`${end}\` ends that, \`${mean}\` says that it is meant`;
}

/** Only what this user can change is told to him. */
function isOpenHere(directory: string, part: string): boolean {
  if (!existsSync(directory) || !isOpen(join(directory, part))) return false;
  const user = process.getuid?.();
  if (user !== 0 && statSync(directory).uid !== user) return false;
  return isReachable(realpathSync(directory));
}
