/**
 * Which home counts on which shard of a Kubo daemon. A shard has one recursive pin, whoever needs it. So each home that counts on it
 * also pins a CID of its own: its multihash is the identity, and holds the home's ID and the shard's digest. Such a pin takes no block,
 * outlives garbage collection and restarts, and is looked up in half a millisecond (Kubo 0.43).
 *
 * Homes take no lock on a daemon that they share. So a home that puts a shard marks it first and looks for the shard afterwards; a home
 * that removes one unpins it first, looks at the marks again, and pins it again if another home has marked it meanwhile.
 */
import { randomUUID } from 'node:crypto';
import { BoundedQueue } from '../../core/bounded-queue.ts';
import { DAG_PB, DIGEST_BYTES, type Owner } from '../../core/model.ts';
import { cidText, parseCid } from '../../dag/cid.ts';
import { assertHomeId, type HomeDescription, isHomeId, isUpToDate } from '../home-description.ts';
import { HttpError } from '../http/error.ts';
import { identityCid, identityContent } from '../identity-cid.ts';
import type { Mark, PeerOwner } from '../peer.ts';
import type { KuboRpc } from './rpc.ts';

const PREFIX = Buffer.from('shardctl ');
const HOME_ID_BYTES = 12;
const MARK_BYTES = PREFIX.length + HOME_ID_BYTES + 1 + DIGEST_BYTES;
/** Kubo refuses longer names. */
const MAX_NAME_BYTES = 255;
const AT_ONCE = 4;
/** To make this many marks, one list of all marks is cheaper than a question for each. */
const MANY = 16;
/** A pin that gets a new name whenever a home comes to the daemon for the first time. While its name is the same, no home has come. */
const HOMES = identityCid(Buffer.from('shardctl homes'));

interface KnownHomes {
  /** The name of the pin `HOMES` when the homes were listed. */
  readonly state: string;
  readonly owners: ReadonlySet<string>;
  /** Whether some home uses the daemon as a member of an IPFS Cluster. */
  readonly throughCluster: boolean;
}

/** Name of the pin that stands for a home, if the home has made the pin itself. A Cluster gives that pin another name, or none. */
const HOME_NAME = /^shardctl \w+ seen (\S+) at ([^:]*):(.*)$/;

export class MarkPins {
  readonly #rpc: KuboRpc;
  readonly #owner: Owner;
  readonly #now: () => number;
  readonly #marked = new Set<string>();
  #described: Promise<void> | undefined;
  #known: KnownHomes | undefined;

  constructor(rpc: KuboRpc, owner: Owner, now: () => number) {
    this.#rpc = rpc;
    this.#owner = owner;
    this.#now = now;
  }

  /** Marks shards as this home's own. */
  async mark(cids: readonly string[]): Promise<void> {
    const { id } = this.#owner;
    assertHomeId(id);
    this.#described ??= this.#describe().catch((error: unknown) => {
      this.#described = undefined;
      throw error;
    });
    await this.#described;
    if (cids.length >= MANY) for await (const { cid, owner } of marksIn(this.#rpc)) if (owner === id) this.#marked.add(cid);
    const queue = new BoundedQueue(AT_ONCE, AT_ONCE + 1);
    for (const cid of cids) {
      if (this.#marked.has(cid)) continue;
      await queue.add(async () => {
        const mark = markOf(id, cid);
        // Pinning it again would take it away for a moment.
        if ((await this.#nameOf(mark)) === undefined) await this.#pin(mark, `shardctl ${id} holds ${cid}`);
        this.#marked.add(cid);
      });
    }
    await queue.drained();
  }

  /** Takes a home's mark from the shard. */
  async release(cid: string, owner = this.#owner.id): Promise<void> {
    if (owner === this.#owner.id) this.#marked.delete(cid);
    await this.#rpc.unpin(markOf(owner, cid), `taking the mark of home ${owner} from ${cid}`);
  }

  /**
   * Whether any home counts on the shard, asked now. A home that uses this daemon as a member of an IPFS Cluster has its marks in the
   * Cluster, where this daemon does not show them: it is taken to count on every shard.
   */
  async isMarked(cid: string): Promise<boolean> {
    const state = (await this.#nameOf(HOMES)) ?? '';
    if (this.#known?.state !== state) this.#known = await this.#look(state);
    if (this.#known.throughCluster) return true;
    for (const owner of this.#known.owners) if ((await this.#nameOf(markOf(owner, cid))) !== undefined) return true;
    return false;
  }

  async owners(): Promise<readonly PeerOwner[]> {
    const owners: PeerOwner[] = [];
    for (const id of await this.#allOwners()) owners.push({ ...descriptionIn((await this.#nameOf(homeOf(id))) ?? ''), id });
    return owners;
  }

  async #look(state: string): Promise<KnownHomes> {
    const owners = await this.#allOwners();
    const names = await Promise.all([...owners].map((owner) => this.#nameOf(homeOf(owner))));
    return { state, owners, throughCluster: names.some((name) => name !== undefined && !HOME_NAME.test(name)) };
  }

  async #allOwners(): Promise<ReadonlySet<string>> {
    const owners = new Set<string>();
    for await (const { cid } of this.#rpc.pins('direct', false)) {
      const mark = parseMark(cid);
      if (mark !== undefined) owners.add(mark.owner);
    }
    return owners;
  }

  async #describe(): Promise<void> {
    const { id, host, path } = this.#owner;
    const name = await this.#nameOf(homeOf(id));
    const now = this.#now();
    if (!isUpToDate(descriptionIn(name ?? ''), this.#owner, now))
      await this.#pin(homeOf(id), `shardctl ${id} seen ${new Date(now).toISOString()} at ${host}:${path}`);
    if (name === undefined) await this.#pin(HOMES, `shardctl homes ${randomUUID()}`);
  }

  async #pin(cid: string, name: string): Promise<void> {
    const query = { arg: cid, recursive: false, offline: true, name: cutTo(name, MAX_NAME_BYTES) };
    await this.#rpc.http.json(this.#rpc.call('pin/add', query, { what: `pinning "${name}"` }));
  }

  /** What a direct pin is called; undefined when there is none. */
  async #nameOf(cid: string): Promise<string | undefined> {
    const request = this.#rpc.call('pin/ls', { arg: cid, type: 'direct', names: true }, { what: `looking for the pin of ${cid}` });
    try {
      const { Keys: keys } = (await this.#rpc.http.json(request)) as { readonly Keys?: Record<string, { readonly Name?: unknown }> };
      return String(keys?.[cid]?.Name ?? '');
    } catch (error) {
      if (error instanceof HttpError && error.status === 500 && / is not pinned/.test(error.said)) return undefined;
      throw error;
    }
  }
}

/** The marks of all homes that use a daemon directly. */
export async function* marksIn(rpc: KuboRpc): AsyncGenerator<Mark> {
  for await (const { cid } of rpc.pins('direct', false)) {
    const mark = parseMark(cid);
    if (mark?.cid !== undefined) yield { owner: mark.owner, cid: mark.cid };
  }
}

function markOf(owner: string, cid: string): string {
  return identityCid(Buffer.concat([PREFIX, Buffer.from(`${owner} `), parseCid(cid).digest]));
}

/** The pin that stands for a home, whatever shards it has marked. */
function homeOf(owner: string): string {
  return identityCid(Buffer.concat([PREFIX, Buffer.from(owner)]));
}

/** Which home this pin is of, and of which shard if it is a mark; undefined when it is neither a mark nor stands for a home. */
function parseMark(text: string): { readonly owner: string; readonly cid: string | undefined } | undefined {
  const bytes = identityContent(text);
  if (bytes === undefined || !bytes.subarray(0, PREFIX.length).equals(PREFIX)) return undefined;
  const idEnd = PREFIX.length + HOME_ID_BYTES;
  const owner = bytes.toString('latin1', PREFIX.length, idEnd);
  if (!isHomeId(owner)) return undefined;
  if (bytes.length === idEnd) return { owner, cid: undefined };
  if (bytes.length !== MARK_BYTES) return undefined;
  return { owner, cid: cidText({ codec: DAG_PB, digest: bytes.subarray(-DIGEST_BYTES) }, 1) };
}

function descriptionIn(name: string): HomeDescription {
  const [, seen, host, path] = HOME_NAME.exec(name) ?? [];
  return seen === undefined || host === undefined || path === undefined ? {} : { host, path, seen };
}

function cutTo(text: string, bytes: number): string {
  let cut = text;
  while (Buffer.byteLength(cut) > bytes) cut = cut.slice(0, -1);
  return cut;
}
