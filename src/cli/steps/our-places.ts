/** Keeps the home, its peers and its sources apart from what a command reads, empties or writes into, under whatever path (`paths-in.ts`). */
import { displayPath } from '../../core/display.ts';
import { ShardctlError } from '../../core/errors.ts';
import { FETCH_DIRECTORY } from '../../core/fetch-directory.ts';
import type { ByteString } from '../../core/model.ts';
import { toBytes } from '../../core/path-bytes.ts';
import type { Config } from '../../home/config.ts';
import type { HomePaths } from '../../home/home.ts';
import type { Index } from '../../index/index.ts';
import type { Context } from '../command-line/context.ts';
import { localPaths } from '../session/peers.ts';
import { isIn, partsIn, pathOf, realPath } from './paths-in.ts';

type WithPeers = Pick<Config, 'peers'>;
type Excludes = (path: ByteString, isDirectory: boolean) => boolean;

/**
 * What shardctl writes must not be part of what it reads: such an import would never end.
 * @throws ShardctlError `HOME_IN_SOURCE`
 */
export function refuseOurs({ home }: Context, config: WithPeers, source: ByteString): void {
  const dir = pathOf(source);
  for (const [what, ours] of ourPlaces(home, config)) {
    if (partsIn(dir, ours).length === 0) continue;
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
  for (const [what, ours] of ourPlaces(home, config)) if (partsIn(out, ours).length > 0) refuse(what, ours);
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
      for (const path of partsIn(out, ours)) this.#places.set(toBytes(path), `${what} (${shown(ours)})`);
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

export function shown(path: string): string {
  return displayPath(toBytes(path));
}
