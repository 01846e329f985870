/**
 * The REST API of an IPFS Cluster, typed: its answers are checked here, and nowhere else. A status of 200 means little: `/add` says in a
 * trailer what went wrong, and a pin is there only when `/pins/{cid}` says so.
 */
import type { z } from 'zod';
import { ShardctlError } from '../../core/errors.ts';
import type { CarBody } from '../http/car-body.ts';
import { type HttpClient, type HttpRequest, PROMPT_MS } from '../http/client.ts';
import { HttpError } from '../http/error.ts';
import {
  added,
  alerts,
  type ClusterMetric,
  type GlobalStatus,
  globalStatus,
  graph,
  type Identity,
  identity,
  type Member,
  metricNames,
  metrics,
  type Pin,
  pin,
  ping,
} from './api-answers.ts';

/** The metric that shows that a member is running. */
export const PING = 'ping';

/** How a CID is to be pinned. Name and metadata replace what was there, so each request has all of them. */
export interface PinOptions {
  /** At most 255 bytes. */
  readonly name: string;
  readonly metadata: Readonly<Record<string, string>>;
  /** IDs of the members that are to have it; `everywhere`: every member, those that join later too; undefined: the Cluster chooses. */
  readonly members: readonly string[] | 'everywhere' | undefined;
  /** Least and most replicas when the Cluster chooses the members. [as it is configured] */
  readonly replication?: { readonly min: number; readonly max: number } | undefined;
  /** IDs of members that the Cluster should choose first then. */
  readonly prefer?: readonly string[];
}

/** Status of one pin on one member, in the Cluster's words. */
export interface MemberStatus {
  readonly status: string;
  readonly error: string;
}

export class ClusterApi {
  readonly #http: HttpClient;

  constructor(http: HttpClient) {
    this.#http = http;
  }

  get who(): string {
    return this.#http.who;
  }

  close(): Promise<void> {
    return this.#http.close();
  }

  /**
   * The members whose pings are still valid, as their pings describe them. They come from memory, so a member that hangs holds nothing up,
   * and a member whose Kubo is down is listed too. Not listed: silent members, and those of which only the address is known so far.
   */
  async members(): Promise<Member[]> {
    const pings = await this.metrics(PING);
    return pings
      .filter(({ valid }) => valid)
      .map(({ peer, value }) => {
        const { peer_name: peername, ipfs_id: kuboId } = ping.safeParse(parsed(value)).data ?? { peer_name: '', ipfs_id: '' };
        return { id: peer, peername, kuboId };
      })
      .filter(({ peername }) => peername !== '');
  }

  /** The members' answers to the question who they are, each as it comes in. A member that hangs ends the list with a failure. */
  identities(): AsyncGenerator<Identity> {
    return this.#stream({ method: 'GET', path: 'peers', what: 'asking the members', idleMs: PROMPT_MS }, identity);
  }

  /** IDs of the members that may change the pins, according to the member that is asked: all of them when it trusts anybody. */
  async trusted(): Promise<Set<string>> {
    const what = 'asking whom it trusts';
    const { cluster_trust_links: links } = this.#check(graph, await this.#http.json({ method: 'GET', path: 'health/graph', what }));
    return new Set(Object.keys(links).filter((id) => links[id]));
  }

  /** Names of the metrics that members send. The member that is asked has them in memory. */
  async metricNames(): Promise<string[]> {
    const request: HttpRequest = { method: 'GET', path: 'monitor/metrics', what: 'asking for the metrics', idleMs: PROMPT_MS };
    return this.#check(metricNames, await this.#http.json(request));
  }

  /** The newest metric of each member that sends it. */
  async metrics(name: string): Promise<ClusterMetric[]> {
    const path = `monitor/metrics/${encodeURIComponent(name)}`;
    return this.#check(metrics, await this.#http.json({ method: 'GET', path, what: `asking for the metric ${name}`, idleMs: PROMPT_MS }));
  }

  /** IDs of members whose pings have stopped. */
  async silent(): Promise<Set<string>> {
    const all = this.#check(alerts, await this.#http.json({ method: 'GET', path: 'health/alerts', what: 'asking for alerts' }));
    return new Set(all.filter(({ name }) => name === 'ping').map(({ peer }) => peer));
  }

  /** Every pin that the Cluster wants. */
  pins(): AsyncGenerator<Pin> {
    return this.#stream({ method: 'GET', path: 'allocations', query: { filter: 'pin' }, what: 'listing the pins' }, pin);
  }

  /** The pin of this CID, if the Cluster wants any. */
  async pin(cid: string): Promise<Pin | undefined> {
    const request: HttpRequest = { method: 'GET', path: `allocations/${cid}`, what: `looking for ${cid}`, accept: [404] };
    return await this.#http.whole(request, async (response) => {
      if (response.status === 404) return response.discard() as undefined;
      return this.#check(pin, await response.json());
    });
  }

  /** What each member says about this CID now. A member that should not have it is not asked, and is `remote`. */
  async status(cid: string): Promise<Map<string, MemberStatus>> {
    const answer = await this.#http.json({ method: 'GET', path: `pins/${cid}`, what: `asking for the status of ${cid}` });
    return new Map(Object.entries(this.#check(globalStatus, answer).peer_map));
  }

  /** Every CID that some member says is pinned there. */
  pinned(): AsyncGenerator<GlobalStatus> {
    return this.#stream({ method: 'GET', path: 'pins', query: { filter: 'pinned' }, what: 'listing what is pinned' }, globalStatus);
  }

  /**
   * Sends a CAR to members and, unless `noPin`, pins its root there. The members asked for are only a preference: for one without valid
   * metrics the Cluster takes another.
   * @returns IDs of the members that the Cluster chose; whether they have the shard only their status shows
   */
  async add(
    car: CarBody,
    options: PinOptions & {
      readonly noPin?: boolean;
      readonly what: string;
      readonly repeatable: boolean;
      readonly signal?: AbortSignal | undefined;
    },
  ): Promise<string[]> {
    const { what, repeatable, signal } = options;
    const request: HttpRequest = {
      method: 'POST',
      path: 'add',
      query: { format: 'car', ...pinQuery(options), ...(options.noPin === true ? { 'no-pin': true } : {}) },
      headers: { 'content-type': car.contentType },
      body: car.body,
      bodyBytes: car.bytes,
      what,
      repeatable,
      // The answer begins only after the members have written every block, which may take any time.
      idleMs: 0,
      // The answer may begin before the body was read to its end; such a connection cannot be used again.
      closeAfter: true,
      signal,
    };
    return await this.#http.whole(request, async (response) => {
      let chosen: string[] | undefined;
      for await (const line of response.lines()) chosen = this.#check(added, line).allocations;
      if (chosen === undefined) throw this.#strange('nothing was added');
      return chosen;
    });
  }

  /** Pins one block and nothing below it. By path, because by CID alone Cluster 1.1.6 says `direct` and pins everything below as well. */
  async pinDirect(cid: string, options: PinOptions): Promise<void> {
    const query = { mode: 'direct', ...pinQuery(options) };
    (await this.#http.request({ method: 'POST', path: `pins/ipfs/${cid}`, query, what: `pinning ${cid}` })).discard();
  }

  /** Unpins a CID on all members. One that is not pinned is a success. */
  async unpin(cid: string): Promise<void> {
    (await this.#http.request({ method: 'DELETE', path: `pins/${cid}`, what: `unpinning ${cid}`, accept: [404] })).discard();
  }

  /** Has the members try again to pin a CID where that has failed. */
  async recover(cid: string): Promise<void> {
    (await this.#http.request({ method: 'POST', path: `pins/${cid}/recover`, what: `recovering ${cid}` })).discard();
  }

  /** Has the members try again to pin every CID where that has failed, or where the pin is lost. The answer lists them, and is not kept. */
  async recoverAll(): Promise<void> {
    const response = await this.#http.request({ method: 'POST', path: 'pins/recover', what: 'recovering what is not pinned', idleMs: 0 });
    for await (const _ of response.bytes());
  }

  /** Has every member collect garbage. The answer lists every block that was deleted, and is not kept. */
  async collectGarbage(): Promise<void> {
    const response = await this.#http.request({ method: 'POST', path: 'ipfs/gc', what: 'collecting garbage', idleMs: 0 });
    for await (const _ of response.bytes());
  }

  async *#stream<T extends z.ZodType>(request: HttpRequest, schema: T): AsyncGenerator<z.output<T>> {
    const response = await this.#http.request(request);
    for await (const line of response.lines()) yield this.#check(schema, line);
  }

  #check<T extends z.ZodType>(schema: T, answer: unknown): z.output<T> {
    const result = schema.safeParse(answer);
    if (result.success) return result.data;
    const [issue] = result.error.issues;
    throw this.#strange(`${issue?.path.join('.') || 'the answer'}: ${issue?.message}`);
  }

  #strange(why: string): ShardctlError {
    return new ShardctlError('TOO_FEW_PEERS', `${this.who} (${this.#http.address}) answers what no IPFS Cluster does: ${why}`, {
      hint: 'is this the URL of the REST API of an IPFS Cluster 1.x?',
    });
  }
}

function pinQuery({ name, metadata, members, replication, prefer = [] }: PinOptions): Record<string, string | number> {
  const query: Record<string, string | number> = { name };
  for (const [key, value] of Object.entries(metadata)) query[`meta-${key}`] = value;
  if (members === 'everywhere') return { ...query, replication: -1 };
  if (members !== undefined) {
    return { ...query, 'user-allocations': members.join(','), 'replication-min': members.length, 'replication-max': members.length };
  }
  if (prefer.length > 0) query['user-allocations'] = prefer.join(',');
  if (replication !== undefined) return { ...query, 'replication-min': replication.min, 'replication-max': replication.max };
  return query;
}

/** Parses JSON within JSON; undefined when it is none. */
function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** Whether the request may have had its effect although it failed. */
export function mayHaveActed(error: unknown): boolean {
  return error instanceof HttpError && error.mayHaveActed;
}
