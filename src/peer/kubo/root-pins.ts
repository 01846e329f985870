/**
 * Roots of trees, each pinned by itself (`mode=direct`): the block survives garbage collection, nothing below it is fetched, and Kubo
 * announces it, so that strangers who know only a tree's root find this daemon.
 *
 * A CID has one direct pin with one name. Two repositories, of one home or of two, may have the same root, so the name lists all of them.
 */
import { HttpError } from '../http/error.ts';
import type { KuboRpc, Pin } from './rpc.ts';

/** Kubo refuses longer names. */
const MAX_NAME_BYTES = 255;
const PREFIX = 'shardctl roots of ';
/** The names that earlier versions gave, with a short ID of the home in front. Two homes may have the same one, if one was copied. */
const FORMER = /^shardctl ([a-z0-9]{1,16}) roots of /;
/** Stands for repositories for which the name has no room. A pin with it is never removed. */
const MORE = '*';

/**
 * Pins `cids` for a repository of a home, and unpins the roots that were pinned before for this repository alone. Pins that somebody else
 * made, direct or recursive, stay as they are.
 * @param home its ID
 */
export async function pinRoots(rpc: KuboRpc, home: string, repository: string, cids: readonly string[]): Promise<void> {
  const own = userOf(home, repository);
  const pinned = new Map<string, Pin>();
  for await (const pin of rpc.pins('direct', true)) pinned.set(pin.cid, pin);
  for (const cid of cids) {
    const pin = pinned.get(cid);
    const users = pin === undefined ? [] : usersIn(pin.name);
    if (users === undefined || users.includes(own)) continue;
    await pinDirectly(rpc, cid, nameOf([...users, own]));
  }
  await unpinFor(rpc, own, cids, pinned.values());
}

/** Takes a user from the names of direct pins, and unpins those that have no other user. @param except CIDs that stay @param pinned the direct pins, if they are known */
async function unpinFor(
  rpc: KuboRpc,
  own: string,
  except: readonly string[],
  pinned: Iterable<Pin> | AsyncIterable<Pin> = rpc.pins('direct', true),
): Promise<void> {
  for await (const { cid, name } of pinned) {
    const users = usersIn(name);
    if (except.includes(cid) || users?.includes(own) !== true) continue;
    const others = users.filter((user) => user !== own);
    if (others.length === 0) await unpin(rpc, cid);
    else await pinDirectly(rpc, cid, nameOf(others));
  }
}

/** Unpins the roots of all repositories of a home other than these. */
export async function keepRoots(rpc: KuboRpc, home: string, repositories: ReadonlySet<string>): Promise<void> {
  const kept = new Set([...repositories].map((name) => userOf(home, name)));
  const others = new Set<string>();
  for await (const { name } of rpc.pins('direct', true))
    for (const user of usersIn(name) ?? []) if (user.startsWith(`${home}/`) && !kept.has(user)) others.add(user);
  for (const user of others) await unpinFor(rpc, user, []);
}

/** A repository as the names of pins list it, with commas in between. */
function userOf(home: string, repository: string): string {
  return `${home}/${repository.replaceAll('%', '%25').replaceAll(',', '%2C')}`;
}

function nameOf(users: readonly string[]): string {
  const name = `${PREFIX}${users.join(',')}`;
  return Buffer.byteLength(name) <= MAX_NAME_BYTES ? name : `${PREFIX}${MORE}`;
}

/** The users of a pin; undefined when the name does not list them all, or when it is not the pin of a root. */
function usersIn(name: string): string[] | undefined {
  const former = FORMER.exec(name);
  const users =
    former === null
      ? name.slice(PREFIX.length).split(',')
      : name
          .slice(former[0].length)
          .split(',')
          .map((user) => `${former[1]}/${user}`);
  return (former === null && !name.startsWith(PREFIX)) || users.some((user) => user.endsWith(MORE)) ? undefined : users;
}

async function pinDirectly(rpc: KuboRpc, cid: string, name: string): Promise<void> {
  try {
    const query = { arg: cid, recursive: false, name, offline: true };
    await rpc.http.json(rpc.call('pin/add', query, { what: `pinning root ${cid}` }));
  } catch (error) {
    if (error instanceof HttpError && /already pinned recursively/.test(error.said)) return;
    throw error;
  }
}

/** Leaves a recursive pin of the same CID alone, which is somebody else's. */
async function unpin(rpc: KuboRpc, cid: string): Promise<void> {
  try {
    await rpc.http.json(rpc.call('pin/rm', { arg: cid, recursive: false }, { what: `unpinning root ${cid}` }));
  } catch (error) {
    if (error instanceof HttpError && /not pinned|pinned recursively/.test(error.said)) return;
    throw error;
  }
}
