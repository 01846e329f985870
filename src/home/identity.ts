/**
 * `home.json`: which home this is. Homes that share a peer make the same shards, and each marks there what it needs; so each must
 * have an ID of its own, also one that was made by `cp -a`. That is why the ID lies beside the settings and says where it belongs.
 */
import { createHash, randomBytes } from 'node:crypto';
import { readFileSync, realpathSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { writeDurably } from '../core/durable-files.ts';
import { ioError } from '../core/errors.ts';
import type { Owner } from '../core/model.ts';
import type { HomePaths } from './home.ts';

const FORMAT = 1;

export interface HomeIdentity extends Owner {
  /** Of the home's directory: it stays the same when the directory is renamed, and a copy has another. */
  readonly inode: string;
  /** Names of the peers on which everything that this home holds is marked as its own. */
  readonly marked: readonly string[];
  /** The home of which this one is a copy. */
  readonly copyOf?: Owner | undefined;
  /** The home was there before homes had IDs. */
  readonly isFormer?: boolean | undefined;
}

/** How the home came to its identity: it is the same as before, it was given one, it lies elsewhere now, or it is a copy of another. */
export type Came = 'same' | 'new' | 'moved' | 'copied';

/** What `home.json` says; undefined when there is none, or it cannot be what was written. */
export function readIdentity(home: Pick<HomePaths, 'identity'>): HomeIdentity | undefined {
  try {
    const { check, ...identity } = JSON.parse(readFileSync(home.identity, 'utf8')) as HomeIdentity & { format: number; check: string };
    const { format, ...rest } = identity;
    return format === FORMAT && check === checkOf(rest) ? rest : undefined;
  } catch {
    // Without it the home is a new one to its peers: what it marks from now on bears another ID, and nothing is lost by that.
    return undefined;
  }
}

/** This home, as its peers know it. One that was only ever read has no ID yet, and marks nothing. @param host name of this machine */
export function ownerOf(home: HomePaths, host: string): Owner {
  const { id, path } = readIdentity(home) ?? { id: '', path: home.dir };
  return { id, host, path };
}

/**
 * Whose home this is, written down where that is new. Must be called by the only writer.
 * @param host name of this machine @param isThere whether there was a home here before, with an ID or without
 */
export async function identify(
  home: HomePaths,
  host: string,
  isThere = false,
): Promise<{ readonly identity: HomeIdentity; readonly came: Came }> {
  const known = readIdentity(home);
  const path = realpathSync(home.dir);
  if (known !== undefined && known.host === host && known.path === path) return { identity: known, came: 'same' };
  const inode = inodeOf(path);
  const anew = { id: randomBytes(6).toString('hex'), host, path, inode, marked: [] };
  if (known === undefined) return { identity: await saved(home, { ...anew, isFormer: isThere }), came: 'new' };
  const isOriginal = known.host === host ? !isElsewhere(known, inode) : known.inode === inode;
  if (isOriginal) return { identity: await saved(home, { ...known, host, path, inode }), came: 'moved' };
  const copyOf = { id: known.id, host: known.host, path: known.path };
  return { identity: await saved(home, { ...anew, copyOf }), came: 'copied' };
}

/** Remembers that the home has marked what it holds on these peers, and on no others. */
export async function rememberMarked(home: HomePaths, identity: HomeIdentity, marked: Iterable<string>): Promise<HomeIdentity> {
  return await saved(home, { ...identity, marked: [...new Set(marked)].sort() });
}

/** Whether another directory at the remembered path is a home of this ID. */
function isElsewhere({ id, path }: HomeIdentity, inode: string): boolean {
  return readIdentity({ identity: join(path, 'home.json') })?.id === id && inodeOf(path) !== inode;
}

function inodeOf(path: string): string {
  return String(statSync(path, { bigint: true }).ino);
}

async function saved(home: Pick<HomePaths, 'identity'>, identity: HomeIdentity): Promise<HomeIdentity> {
  try {
    const text = JSON.stringify({ format: FORMAT, ...identity, check: checkOf(identity) }, null, 2);
    await writeDurably(home.identity, `${text}\n`);
  } catch (error) {
    throw ioError(error, 'writing the ID of the home', home.identity);
  }
  return identity;
}

/** A flipped bit in the ID would make it another home. */
function checkOf({ id, host, path, inode, marked, copyOf, isFormer }: HomeIdentity): string {
  const text = JSON.stringify([id, host, path, inode, marked, copyOf?.id ?? '', isFormer === true]);
  return createHash('sha256').update(text).digest('hex').slice(0, 16);
}
