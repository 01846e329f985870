/**
 * Which home counts on which shard of a daemon. A shard has one recursive pin, whoever needs it, so each home that does pins a CID of
 * its own beside it: one whose multihash is the identity, with the home's ID and the shard's digest in it. Such a pin takes no block,
 * outlives garbage collection and restarts, and is looked up in half a millisecond (Kubo 0.43).
 *
 * Homes come and go without a lock: who puts marks first and then looks, who removes looks again after unpinning, and pins again
 * what has been marked meanwhile.
 */
import { randomUUID } from 'node:crypto';
import { CID } from 'multiformats/cid';
import { create as createDigest } from 'multiformats/hashes/digest';
import { BoundedQueue } from '../../core/bounded-queue.ts';
import { DAG_PB, DIGEST_BYTES, type Owner, RAW } from '../../core/model.ts';
import { cidText, parseCid } from '../../dag/cid.ts';
import { HttpError } from '../http/error.ts';
import type { Mark, PeerOwner } from '../peer.ts';
import type { KuboRpc } from './rpc.ts';

const IDENTITY = 0;
const PREFIX = Buffer.from('shardctl ');
const OWNER_ID = /^[0-9a-f]{12}$/;
const MARK_BYTES = PREFIX.length + 12 + 1 + DIGEST_BYTES;
/** Kubo refuses longer names. */
const MAX_NAME_BYTES = 255;
const AT_ONCE = 4;
/** From so many marks on it is worth while to ask first which are there. */
const MANY = 16;
/** Who is here is written down anew when it is older than this. */
const STALE_MS = 24 * 60 * 60 * 1000;
/** Its name changes whenever a home comes that was not here before: whoever knows the name knows all homes. */
const HOMES = cidOf(Buffer.from('shardctl homes'));

interface Known {
  /** What `HOMES` was called when the homes were listed. */
  readonly state: string;
  readonly owners: ReadonlySet<string>;
  /** Some home comes through a Cluster. */
  readonly throughCluster: boolean;
}

/** How the pin of a home is called that it has made itself. That of a home that comes through a Cluster has none, or another name. */
const HOME_NAME = /^shardctl \w+ seen (\S+) at ([^:]*):(.*)$/;

export class MarkPins {
  readonly #rpc: KuboRpc;
  readonly #owner: Owner;
  readonly #now: () => number;
  readonly #marked = new Set<string>();
  #described: Promise<void> | undefined;
  #known: Known | undefined;

  constructor(rpc: KuboRpc, owner: Owner, now: () => number) {
    this.#rpc = rpc;
    this.#owner = owner;
    this.#now = now;
  }

  /** Marks shards as this home's own. */
  async mark(cids: readonly string[]): Promise<void> {
    const { id } = this.#owner;
    if (!OWNER_ID.test(id)) throw new Error(`"${id}" is not the ID of a home`);
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
        // Pinned again it would be gone for a moment.
        if ((await this.#nameOf(mark)) === undefined) await this.#pin(mark, `shardctl ${id} holds ${cid}`);
        this.#marked.add(cid);
      });
    }
    await queue.drained();
  }

  async release(cid: string, owner = this.#owner.id): Promise<void> {
    if (owner === this.#owner.id) this.#marked.delete(cid);
    await this.#rpc.unpin(markOf(owner, cid), `taking the mark of home ${owner} from ${cid}`);
  }

  /**
   * Whether any home counts on the shard, as of now. A home that uses this daemon as a member of an IPFS Cluster has its marks in the
   * Cluster, where they cannot be seen from here: it may count on any shard.
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
    for (const id of await this.#allOwners()) owners.push({ ...described((await this.#nameOf(homeOf(id))) ?? ''), id });
    return owners;
  }

  async #look(state: string): Promise<Known> {
    const owners = await this.#allOwners();
    const names = await Promise.all([...owners].map((owner) => this.#nameOf(homeOf(owner))));
    return { state, owners, throughCluster: names.some((name) => name !== undefined && !HOME_NAME.test(name)) };
  }

  async #allOwners(): Promise<ReadonlySet<string>> {
    const owners = new Set<string>();
    for await (const { cid } of this.#rpc.pins('direct', false)) {
      const mark = parse(cid);
      if (mark !== undefined) owners.add(mark.owner);
    }
    return owners;
  }

  async #describe(): Promise<void> {
    const { id, host, path } = this.#owner;
    const name = await this.#nameOf(homeOf(id));
    const said = described(name ?? '');
    const now = this.#now();
    const isFresh = Math.abs(now - Date.parse(said.seen ?? '')) < STALE_MS;
    if (!isFresh || said.host !== host || said.path !== path)
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
    const mark = parse(cid);
    if (mark?.cid !== undefined) yield { owner: mark.owner, cid: mark.cid };
  }
}

/** A CID that stands for nothing but the text in it. */
function cidOf(bytes: Uint8Array): string {
  return CID.createV1(RAW, createDigest(IDENTITY, bytes)).toString();
}

function markOf(owner: string, cid: string): string {
  return cidOf(Buffer.concat([PREFIX, Buffer.from(`${owner} `), parseCid(cid).digest]));
}

function homeOf(owner: string): string {
  return cidOf(Buffer.concat([PREFIX, Buffer.from(owner)]));
}

/** Whose pin this is, and of which shard; undefined when it is none of these. */
function parse(text: string): { readonly owner: string; readonly cid: string | undefined } | undefined {
  // Most direct pins are others' and mean something else.
  if (!text.startsWith('bafkqa')) return undefined;
  const { multihash } = CID.parse(text);
  const bytes = Buffer.from(multihash.digest);
  if (multihash.code !== IDENTITY || !bytes.subarray(0, PREFIX.length).equals(PREFIX)) return undefined;
  const owner = bytes.toString('latin1', PREFIX.length, PREFIX.length + 12);
  if (!OWNER_ID.test(owner)) return undefined;
  if (bytes.length === PREFIX.length + 12) return { owner, cid: undefined };
  if (bytes.length !== MARK_BYTES) return undefined;
  return { owner, cid: cidText({ codec: DAG_PB, digest: bytes.subarray(-DIGEST_BYTES) }, 1) };
}

function described(name: string): Omit<PeerOwner, 'id'> {
  const [, seen, host, path] = HOME_NAME.exec(name) ?? [];
  return seen === undefined || host === undefined || path === undefined ? {} : { host, path, seen };
}

function cutTo(text: string, bytes: number): string {
  let cut = text;
  while (Buffer.byteLength(cut) > bytes) cut = cut.slice(0, -1);
  return cut;
}
