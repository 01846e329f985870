/**
 * Roots pinned by themselves (`mode=direct`): the block survives garbage collection, nothing below it is fetched, and Kubo announces
 * it. Whoever knows only a tree's root then finds this daemon.
 *
 * A CID has one direct pin with one name, and two repositories, of one home or of two, may have the same root: the name lists them all.
 */
import { HttpError } from '../http/error.ts';
import type { KuboRpc, Pin } from './rpc.ts';

/** Kubo refuses longer names. */
const MAX_NAME_BYTES = 255;
const PREFIX = 'shardctl roots of ';
/** As earlier versions named them, each with an owner of one home on one daemon, who may be anybody's since: homes get copied. */
const FORMER = /^shardctl ([a-z0-9]{1,16}) roots of /;
/** Stands for those that the name had no room for: such a pin is never removed. */
const MORE = '*';

/**
 * Pins `cids` for a repository of a home, and unpins what was pinned for it before and is in no other's name. What is pinned by other
 * means, directly or recursively, stays as it is.
 * @param home its ID: homes that share the daemon may have the same root
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

/** Unpins what is pinned for a user and for nobody else, but for some. @param pinned what is pinned directly, if that is known */
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

/** Unpins what is pinned for repositories of a home other than these. */
export async function keepRoots(rpc: KuboRpc, home: string, repositories: ReadonlySet<string>): Promise<void> {
  const kept = new Set([...repositories].map((name) => userOf(home, name)));
  const others = new Set<string>();
  for await (const { name } of rpc.pins('direct', true))
    for (const user of usersIn(name) ?? []) if (user.startsWith(`${home}/`) && !kept.has(user)) others.add(user);
  for (const user of others) await unpinFor(rpc, user, []);
}

/** As the name of a pin lists it: commas stand between them there. */
function userOf(home: string, repository: string): string {
  return `${home}/${repository.replaceAll('%', '%25').replaceAll(',', '%2C')}`;
}

function nameOf(users: readonly string[]): string {
  const name = `${PREFIX}${users.join(',')}`;
  return Buffer.byteLength(name) <= MAX_NAME_BYTES ? name : `${PREFIX}${MORE}`;
}

/** The repositories that a pin is for, each after its home; undefined when nobody knows, or it is no pin of roots. */
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

/** Never takes a recursive pin with it: that would be somebody else's. */
async function unpin(rpc: KuboRpc, cid: string): Promise<void> {
  try {
    await rpc.http.json(rpc.call('pin/rm', { arg: cid, recursive: false }, { what: `unpinning root ${cid}` }));
  } catch (error) {
    if (error instanceof HttpError && /not pinned|pinned recursively/.test(error.said)) return;
    throw error;
  }
}
