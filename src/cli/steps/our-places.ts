/** Keeps the home, its peers and its sources apart from what a command reads or empties. All of it by real paths: a symlink leads there, too. */
import { realpathSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { displayPath } from '../../core/display.ts';
import { errnoOf, ShardctlError } from '../../core/errors.ts';
import type { ByteString } from '../../core/model.ts';
import { toBytes } from '../../core/path-bytes.ts';
import type { Config } from '../../home/config.ts';
import type { HomePaths } from '../../home/home.ts';
import type { Index } from '../../index/index.ts';
import type { Context } from '../command-line/context.ts';
import { localPaths } from '../session/peers.ts';

type WithPeers = Pick<Config, 'peers'>;

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
  const shown = (path: string) => displayPath(toBytes(path));
  const refuse = (what: string, where: string, ours: string): never => {
    throw new ShardctlError('USAGE', `${what} (${shown(ours)}) ${where} ${shown(out)}: --delete would delete from it`, {
      hint: 'name a directory of its own as OUT, or leave out --delete',
    });
  };
  for (const [what, ours] of ourPlaces(home, config)) {
    if (isIn(out, ours)) refuse(what, 'is in', ours);
    if (isIn(ours, out)) refuse(what, 'holds', ours);
  }
  for (const { name, source } of index?.repositories() ?? []) {
    const ours = pathOf(source);
    if (source !== '' && isIn(out, ours) && !isIn(ours, out)) refuse(`the source of ${name}`, 'is in', ours);
  }
}

function ourPlaces(home: HomePaths, config: WithPeers): (readonly [what: string, path: string])[] {
  return [['the home', home.dir], ...localPaths(home, config).map(([{ name }, path]) => [`peer "${name}"`, path] as const)];
}

/** Whether a path is that of a directory, or leads below it. */
function isIn(dir: string, path: string): boolean {
  return `${realPath(path)}/`.startsWith(`${realPath(dir)}/`.replace(/^\/+/, '/'));
}

function pathOf(bytes: ByteString): string {
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
