/**
 * What other users may read of the files that a run makes. In a home and on local peers that is nothing, unless the directory is open to
 * them: then it is what the user's umask allows. The umask of the process is set, because LMDB and blockstore-fs make files, too. When
 * one of these places is open the user's umask holds for all of them, and the modes of their directories keep the others closed.
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

/** At the start of a run, before anything is made. @returns the user's umask, for files outside of homes and peers */
export function beginPrivate(home: HomePaths): number {
  const umask = process.umask(FOR_NOBODY_ELSE);
  if (isOpen(home.index)) process.umask(umask);
  return umask;
}

/** Takes the user's umask when a local peer is open to others. @param peers paths of the local ones */
export function openUmaskFor(context: Context, peers: Iterable<readonly [LocalPeerConfig, string]>): void {
  for (const [peer, path] of peers) if (isOpen(join(path, SHARDS_IN[peer.layout]))) forOthersToo(context);
}

/** From here on files are made with the user's umask, as by any other program. */
export function forOthersToo({ umask }: Pick<Context, 'umask'>): void {
  process.umask(umask);
}

/** Runs `make` with the user's umask: for files outside of homes and peers. */
export function asUser<T>({ umask }: Pick<Context, 'umask'>, make: () => T): T {
  const ours = process.umask(umask);
  try {
    return make();
  } finally {
    process.umask(ours);
  }
}

/** Opens a home to other users, or closes it: when it is made, and when `shared` is set. */
export function setHomeOpen(context: Context, isShared: boolean): void {
  const { home, umask } = context;
  if (isShared) open(home.dir, HOME_PARTS, umask);
  else close(home.dir, HOME_PARTS);
  process.umask(isShared ? umask : FOR_NOBODY_ELSE);
}

/** The same for a local peer. */
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

/** Whether others can read it, and this user is able to change that. */
function isOpenHere(directory: string, part: string): boolean {
  if (!existsSync(directory) || !isOpen(join(directory, part))) return false;
  const user = process.getuid?.();
  if (user !== 0 && statSync(directory).uid !== user) return false;
  return isReachable(realpathSync(directory));
}
