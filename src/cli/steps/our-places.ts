/**
 * Keeps the home, its peers and its sources apart from what a command reads, empties or writes into. Directories are told apart by device
 * and inode, as symlinks and bind mounts show one under several paths.
 */
import { realpathSync, statSync } from 'node:fs';
import { basename, dirname, join, relative } from 'node:path';
import { displayPath } from '../../core/display.ts';
import { errnoOf, ShardctlError } from '../../core/errors.ts';
import { FETCH_DIRECTORY } from '../../core/fetch-directory.ts';
import type { ByteString } from '../../core/model.ts';
import { toBytes } from '../../core/path-bytes.ts';
import { OutMounts } from '../../fetch/out/mounts.ts';
import type { Config } from '../../home/config.ts';
import type { HomePaths } from '../../home/home.ts';
import type { Index } from '../../index/index.ts';
import type { Context } from '../command-line/context.ts';
import { localPaths } from '../session/peers.ts';

type WithPeers = Pick<Config, 'peers'>;
type Excludes = (path: ByteString, isDirectory: boolean) => boolean;

/**
 * What shardctl writes must not be part of what it reads: such an import would never end.
 * @throws ShardctlError `HOME_IN_SOURCE`
 */
export function refuseOurs({ home }: Context, config: WithPeers, source: ByteString): void {
  const dir = pathOf(source);
  for (const [what, ours] of ourPlaces(home, config)) {
    if (!isIn(dir, ours)) continue;
    throw new ShardctlError('HOME_IN_SOURCE', `${what} (${ours}) is inside the directory to add (${dir})`, {
      hint: what === 'the home' ? 'put the home elsewhere with --home or SHARDCTL_HOME' : 'add another directory, or store elsewhere',
    });
  }
}

/**
 * What is not in a tree is deleted from OUT: neither the home, nor what it has on its peers, nor a mirror beside may be there. OUT may be a
 * source itself, or lie in one, as when a mirror is brought back to what it was.
 * @throws ShardctlError `USAGE`, whatever filters say: they may be mistaken
 */
export function refuseToEmptyOurs({ home }: Context, config: WithPeers, index: Index | undefined, out: string): void {
  const refuse = (what: string, ours: string): never => {
    throw new ShardctlError('USAGE', `${what} (${shown(ours)}) is in ${shown(out)}: --delete would delete from it`, {
      hint: 'name a directory of its own as OUT, or leave out --delete',
    });
  };
  for (const [what, ours] of ourPlaces(home, config)) if (isIn(out, ours)) refuse(what, ours);
  for (const { name, source } of index?.repositories() ?? []) {
    const ours = pathOf(source);
    if (source !== '' && isIn(out, ours) && !isIn(ours, out)) refuse(`the source of ${name}`, ours);
  }
}

/**
 * What is in a tree, or becomes of one, may be anybody's, and must not become part of the home or of a peer, whatever options say.
 * @param to where it is to be written, or shown @throws ShardctlError `USAGE`
 */
export function refuseIntoOurs({ home }: Context, config: WithPeers, to: string): void {
  const refuse = (what: string, hint: string): never => {
    throw new ShardctlError('USAGE', `${what} ${shown(to)}: nothing of a tree is written there`, { hint });
  };
  for (const [what, ours] of ourPlaces(home, config))
    if (isIn(ours, to)) refuse(`${what} (${shown(ours)}) holds`, 'name a place outside of it');
  if (realPath(to).split('/').includes(FETCH_DIRECTORY)) refuse(`\`fetch\` keeps what it knows of a copy in`, 'name another place');
}

/** Leaves out of a tree what would be written into the home or into a peer that lie in the directory that it is written into. */
export class OursLeftOut {
  readonly #places = new Map<ByteString, string>();
  readonly #warn: (message: string) => void;

  constructor({ home, reporter }: Context, config: WithPeers, out: string) {
    this.#warn = (message) => reporter.event({ type: 'warning', message });
    for (const [what, ours] of ourPlaces(home, config))
      for (const path of pathsIn(out, ours)) this.#places.set(toBytes(path), `${what} (${shown(ours)})`);
  }

  /** What these are, as text. */
  get names(): readonly string[] {
    return [...this.#places.keys()];
  }

  /** Undefined where nothing is left out. @param excludes what else is */
  with(excludes: Excludes | undefined): Excludes | undefined {
    if (this.#places.size === 0) return excludes;
    const told = new Set<ByteString>();
    return (path, isDirectory) => {
      const what = this.#places.get(path);
      if (what === undefined) return excludes?.(path, isDirectory) === true;
      if (!told.has(path)) this.#warn(`"${displayPath(path)}" of the tree is left out: ${what} is there`);
      told.add(path);
      return true;
    };
  }
}

function ourPlaces(home: HomePaths, config: WithPeers): (readonly [what: string, path: string])[] {
  return [['the home', home.dir], ...peerPlaces(home, config)];
}

export function peerPlaces(home: HomePaths, config: WithPeers): (readonly [what: string, path: string])[] {
  return localPaths(home, config).map(([{ name }, path]) => [`peer "${name}"`, path] as const);
}

/** Whether a path is that of a directory, or leads below it, by whatever name. */
export function isIn(dir: string, path: string): boolean {
  return pathsIn(dir, path).length > 0;
}

/** The paths, from a directory on, of what lies in it; several where it is mounted there once more. */
function pathsIn(dir: string, path: string): string[] {
  const points = [...new OutMounts(toBytes(realPath(dir))).points].map(pathOf);
  return ['', ...points].flatMap((point) => {
    const below = pathBelow(join(dir, point), path);
    return below === undefined ? [] : [join(point, below).replace(/^\.$/, '')];
  });
}

/** The path from a directory on, when one of the directories that it leads through is that one. */
function pathBelow(dir: string, path: string): string | undefined {
  const [top, real] = [realPath(dir), realPath(path)];
  const inode = inodeOf(top);
  for (let at = real; ; at = dirname(at)) {
    if (at === top || (inode !== undefined && inodeOf(at) === inode)) return relative(at, real);
    if (at === dirname(at)) return undefined;
  }
}

function inodeOf(path: string): string | undefined {
  try {
    const { dev, ino } = statSync(path, { bigint: true });
    return `${dev}:${ino}`;
  } catch {
    return undefined;
  }
}

export function shown(path: string): string {
  return displayPath(toBytes(path));
}

export function pathOf(bytes: ByteString): string {
  return Buffer.from(bytes, 'latin1').toString();
}

/** The path without symlinks; of one that is not there, as far as its directories are. */
function realPath(path: string): string {
  try {
    return realpathSync(path);
  } catch (error) {
    const parent = dirname(path);
    if (errnoOf(error) !== 'ENOENT' || parent === path) return path;
    return join(realPath(parent), basename(path));
  }
}
