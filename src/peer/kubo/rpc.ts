/**
 * Kubo's RPC: the simple calls. Those that read blocks are offline: they give what this daemon has, not what it could fetch from others,
 * and a missing block is answered at once instead of being looked for in the network.
 */
import { ShardctlError } from '../../core/errors.ts';
import { type HttpClient, type HttpRequest, PROMPT_MS } from '../http/client.ts';
import { answerError, HttpError } from '../http/error.ts';
import type { HttpResponse } from '../http/response.ts';
import { withoutId } from '../multiaddrs.ts';
import type { PeerContact } from '../peer.ts';

/** Begins the base16 text of a CIDv1 with dag-cbor and sha2-256. No shard has such blocks, so no pin names one. */
const DAG_CBOR_SHA256 = 'f01711220';

export interface Pin {
  readonly cid: string;
  /** Empty when the pin has no name. */
  readonly name: string;
}

export class KuboRpc {
  readonly http: HttpClient;

  /** @param http whose URL is the daemon's, with or without `/api/v0` */
  constructor(http: HttpClient) {
    this.http = http;
  }

  /** The request of one RPC call. All of them are POST. */
  call(command: string, query: NonNullable<HttpRequest['query']>, rest: Omit<HttpRequest, 'method' | 'path' | 'query'>): HttpRequest {
    const path = this.http.address.endsWith('/api/v0') ? command : `api/v0/${command}`;
    return { method: 'POST', path, query, ...rest };
  }

  /** The daemon's peer ID, its program, and the multiaddrs at which it takes connections. @throws ShardctlError `TOO_FEW_PEERS` when it does not answer, or is no Kubo */
  async id(): Promise<PeerContact & { readonly agent: string }> {
    const { ID: id, AgentVersion: agent, Addresses: addresses } = await this.#object('id', {}, 'asking for its ID', PROMPT_MS);
    if (typeof id === 'string' && id !== '') return { id, agent: String(agent ?? ''), addresses: withoutId(addresses) };
    throw this.#senseless('no peer ID');
  }

  /** Bytes in the datastore, and how many it is set to hold. */
  async repoStat(): Promise<{ readonly usedBytes: number; readonly maxBytes: number }> {
    const { RepoSize: used, StorageMax: max } = await this.#object('repo/stat', { 'size-only': true }, 'asking for its space');
    if (!isSize(used)) throw this.#senseless(`a datastore of ${used} bytes`);
    // Beyond 2^53 the last digits are lost, which nobody needs.
    return { usedBytes: Math.min(used, Number.MAX_SAFE_INTEGER), maxBytes: isSize(max) ? Math.min(max, Number.MAX_SAFE_INTEGER) : 0 };
  }

  /** One value of the daemon's configuration; undefined when it is not set. */
  async config(key: string): Promise<unknown> {
    try {
      return (await this.#object('config', { arg: key }, `asking for its setting ${key}`)).Value;
    } catch (error) {
      if (error instanceof HttpError && error.status === 500) return undefined;
      throw error;
    }
  }

  /** @param cid of the block, or any other CID with its multihash @returns its bytes, not hashed; undefined when the daemon does not have it */
  async block(cid: string, what: string): Promise<Buffer | undefined> {
    try {
      return await this.http.whole(this.call('block/get', { arg: cid, offline: true }, { what }), (response) => response.all());
    } catch (error) {
      if (isMissing(error)) return undefined;
      throw error;
    }
  }

  /** A part of a UnixFS file as it comes in, not hashed. Shorter than asked for where the file ends. */
  async *range(cid: string, offset: number, length: number): AsyncGenerator<Buffer> {
    const request = this.call('cat', { arg: cid, offset, length, offline: true, progress: false }, { what: `reading ${cid}` });
    yield* (await this.http.request(request)).bytes();
  }

  /** The request for a UnixFS file, of which a part is asked for by `offset` and `length`. */
  plainFile(cid: string) {
    const request = this.call('cat', { arg: cid, offline: true, progress: false }, { what: `reading ${cid}` });
    return { ...this.http.plain(request), method: 'POST', range: 'query' } as const;
  }

  /**
   * Removes blocks, pinned or not. A pin guards its blocks by their CIDs, and the datastore finds a block by its multihash alone; so the
   * block is removed under a CID with another codec, which no pin guards.
   */
  async removeBlocks(digests: readonly Uint8Array[]): Promise<void> {
    for (const digest of digests) {
      const cid = `${DAG_CBOR_SHA256}${Buffer.from(digest).toString('hex')}`;
      const what = `removing damaged block ${cid}`;
      const { Error: error } = await this.#object('block/rm', { arg: cid, force: true }, what);
      if (typeof error !== 'string' || error === '') continue;
      throw answerError({ ...this.http, what }, error, { status: 200, said: error, retryable: false });
    }
  }

  /**
   * The DAG below `cid` as a CAR, in order, depth first. With `local-only` (since Kubo 0.42) missing blocks are left out; an older Kubo
   * stops at the first one and says so in the trailer.
   */
  exportCar(cid: string, what: string): Promise<HttpResponse> {
    return this.http.request(this.call('dag/export', { arg: cid, offline: true, 'local-only': true, progress: false }, { what }));
  }

  /** Whether a DAG is pinned recursively. Kubo looks it up in its index of pins, without a walk. */
  async isPinned(cid: string): Promise<boolean> {
    try {
      await this.#object('pin/ls', { arg: cid, type: 'recursive' }, `looking for the pin of ${cid}`);
      return true;
    } catch (error) {
      if (error instanceof HttpError && error.status === 500 && / is not pinned/.test(error.said)) return false;
      throw error;
    }
  }

  /** Pins a DAG recursively, all of which the daemon has. */
  async pin(cid: string, what: string): Promise<void> {
    await this.#object('pin/add', { arg: cid, offline: true }, what);
  }

  /** Removes the pin. That there is none is a success. */
  async unpin(cid: string, what: string): Promise<void> {
    try {
      await this.#object('pin/rm', { arg: cid }, what);
    } catch (error) {
      if (!(error instanceof HttpError && /not pinned/.test(error.said))) throw error;
    }
  }

  /** All pins of one type. With names the daemon has to look at each pin. */
  async *pins(type: 'recursive' | 'direct', names: boolean): AsyncGenerator<Pin> {
    const request = this.call('pin/ls', { type, stream: true, names }, { what: 'listing its pins' });
    for await (const line of (await this.http.request(request)).lines()) {
      const { Cid: cid, Name: name, Message: message } = (line ?? {}) as Record<string, unknown>;
      if (typeof cid !== 'string') throw this.#senseless(`a pin without a CID${typeof message === 'string' ? `: ${message}` : ''}`);
      yield { cid, name: typeof name === 'string' ? name : '' };
    }
  }

  async #object(
    command: string,
    query: NonNullable<HttpRequest['query']>,
    what: string,
    idleMs?: number,
  ): Promise<Record<string, unknown>> {
    const answer = await this.http.json(this.call(command, query, { what, ...(idleMs === undefined ? {} : { idleMs }) }));
    if (typeof answer === 'object' && answer !== null) return answer as Record<string, unknown>;
    throw this.#senseless(`${JSON.stringify(answer)} to ${command}`);
  }

  #senseless(what: string): ShardctlError {
    return new ShardctlError('TOO_FEW_PEERS', `${this.http.who} (${this.http.address}) answers what no Kubo does: ${what}`, {
      hint: 'is this the URL of the RPC of a Kubo daemon?',
    });
  }
}

/** Whether a call failed because the daemon does not have a block. */
function isMissing(error: unknown): boolean {
  return error instanceof HttpError && /not found locally|could not find|block not found/.test(error.said);
}

function isSize(value: unknown): value is number {
  return typeof value === 'number' && Number.isFinite(value) && value >= 0;
}
