/**
 * `home.json`: which home this is. Homes that share a peer may need the same shards, and each marks on the peer those that it needs. So
 * each must have an ID of its own, even a home that was made by `cp -a`. The file therefore also says where the home with this ID lies:
 * host, path and inode.
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
  /** Inode number of the home's directory: a renamed directory keeps it, and a copy has another. */
  readonly inode: string;
  /** Names of the peers on which the home has marked everything that it needs there. */
  readonly marked: readonly string[];
  /** The home of which this one is a copy. */
  readonly copyOf?: Owner | undefined;
  /** There was a home here without an ID when this one was made: from before homes had IDs, or its `home.json` was lost. */
  readonly isFormer?: boolean | undefined;
}

/** How the home came to its identity: it is the same as before, it was given one, it lies elsewhere now, or it is a copy of another. */
export type Came = 'same' | 'new' | 'moved' | 'copied';

/** What `home.json` says; undefined when there is no such file or its checksum is wrong. */
export function readIdentity(home: Pick<HomePaths, 'identity'>): HomeIdentity | undefined {
  try {
    const { check, ...identity } = JSON.parse(readFileSync(home.identity, 'utf8')) as HomeIdentity & { format: number; check: string };
    const { format, ...rest } = identity;
    return format === FORMAT && check === checkOf(rest) ? rest : undefined;
  } catch {
    // The home gets a new ID and marks its shards under that. The old marks stay and protect more than is needed, so nothing is lost.
    return undefined;
  }
}

/** This home, as it is named on peers. A home that was only ever read has no ID yet, and marks nothing. @param host name of this machine */
export function ownerOf(home: HomePaths, host: string): Owner {
  const { id, path } = readIdentity(home) ?? { id: '', path: home.dir };
  return { id, host, path };
}

/**
 * Reads the home's identity, makes one where there is none or the home is a copy, and writes what has changed. The caller holds the lock.
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

/** Whether the home with this ID still lies at the remembered path, in another directory than this one. */
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

/** Checksum: with a flipped bit in its ID it would be another home. */
function checkOf({ id, host, path, inode, marked, copyOf, isFormer }: HomeIdentity): string {
  const text = JSON.stringify([id, host, path, inode, marked, copyOf?.id ?? '', isFormer === true]);
  return createHash('sha256').update(text).digest('hex').slice(0, 16);
}
