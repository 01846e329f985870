/**
 * Roots pinned by themselves (`mode=direct`): the block survives garbage collection, nothing below it is fetched, and Kubo announces
 * it. Whoever knows only a tree's root then finds this daemon.
 *
 * A CID has one direct pin with one name, and two repositories may have the same root: the name lists them all.
 */
import { HttpError } from '../http/error.ts';
import type { KuboRpc, Pin } from './rpc.ts';

/** Kubo refuses longer names. */
const MAX_NAME_BYTES = 255;
/** Stands for repositories that the name had no room for: such a pin is never removed. */
const MORE = '*';

/**
 * Pins `cids` for a repository, and unpins what was pinned for it before and is in no other repository's name. What is
 * pinned by other means, directly or recursively, stays as it is.
 * @param owner tells the homes apart that share the daemon
 */
export async function pinRoots(rpc: KuboRpc, owner: string, repository: string, cids: readonly string[]): Promise<void> {
  const pinned = new Map<string, Pin>();
  for await (const pin of rpc.pins('direct', true)) pinned.set(pin.cid, pin);
  for (const cid of cids) {
    const pin = pinned.get(cid);
    const users = pin === undefined ? [] : usersIn(pin.name, owner);
    if (users === undefined || users.includes(repository)) continue;
    await pinDirectly(rpc, cid, nameOf(owner, [...users, repository]));
  }
  for (const { cid, name } of pinned.values()) {
    const users = usersIn(name, owner);
    if (cids.includes(cid) || users?.includes(repository) !== true) continue;
    const others = users.filter((user) => user !== repository);
    if (others.length === 0) await unpin(rpc, cid);
    else await pinDirectly(rpc, cid, nameOf(owner, others));
  }
}

function nameOf(owner: string, users: readonly string[]): string {
  const name = `${prefixOf(owner)}${users.join(',')}`;
  return Buffer.byteLength(name) <= MAX_NAME_BYTES ? name : `${prefixOf(owner)}${MORE}`;
}

/** The repositories of ours that a pin is for; undefined when it is not ours to change. */
function usersIn(name: string, owner: string): string[] | undefined {
  if (!name.startsWith(prefixOf(owner))) return undefined;
  const users = name.slice(prefixOf(owner).length).split(',');
  return users.includes(MORE) ? undefined : users;
}

function prefixOf(owner: string): string {
  return `shardctl ${owner} roots of `;
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
