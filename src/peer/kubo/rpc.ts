/**
 * The calls of Kubo's RPC that read a daemon. All of them are offline: what they give is what this daemon has, not what it
 * could fetch from others, and a block that is missing is an answer at once and not a search of the network.
 */
import { ShardctlError } from '../../errors.ts';
import type { HttpClient, HttpRequest } from '../http/client.ts';
import { HttpError } from '../http/error.ts';
import type { HttpResponse } from '../http/response.ts';

export type Query = NonNullable<HttpRequest['query']>;

export class KuboRpc {
  readonly http: HttpClient;

  /** @param http whose URL is the daemon's, with or without `/api/v0` */
  constructor(http: HttpClient) {
    this.http = http;
  }

  /** One RPC call. Everything is a POST. */
  call(command: string, query: Query, rest: Omit<HttpRequest, 'method' | 'path' | 'query'>): HttpRequest {
    const path = this.http.address.endsWith('/api/v0') ? command : `api/v0/${command}`;
    return { method: 'POST', path, query, ...rest };
  }

  /** The daemon's peer ID and program. @throws ShardctlError `TOO_FEW_PEERS` when it does not answer, or is no Kubo */
  async id(signal?: AbortSignal): Promise<{ readonly id: string; readonly agent: string }> {
    const answer = (await this.http.json(this.call('id', {}, { what: 'asking for its ID', signal }))) as Record<string, unknown> | null;
    const { ID: id, AgentVersion: agent } = answer ?? {};
    if (typeof id === 'string' && id !== '') return { id, agent: String(agent ?? '') };
    throw new ShardctlError('TOO_FEW_PEERS', `${this.http.who} (${this.http.address}) answers, but is no Kubo: it has no peer ID`);
  }

  /** @param cid of the block, or any other CID with its multihash @returns its bytes, not hashed; undefined when the daemon does not have it */
  async block(cid: string, what: string): Promise<Buffer | undefined> {
    try {
      return await this.http.whole(this.call('block/get', { arg: cid, offline: true }, { what }), async (response) => {
        const chunks: Buffer[] = [];
        for await (const chunk of response.bytes()) chunks.push(chunk);
        return chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks);
      });
    } catch (error) {
      if (isMissing(error)) return undefined;
      throw error;
    }
  }

  /**
   * The DAG below `cid` as a CAR, in order, depth first. With `local-only` (Kubo 0.42) what is missing is left out; an older
   * Kubo stops there and says so in the trailer.
   */
  exportCar(cid: string, what: string): Promise<HttpResponse> {
    return this.http.request(this.call('dag/export', { arg: cid, offline: true, 'local-only': true, progress: false }, { what }));
  }

  /** Whether a DAG is pinned recursively: looked up in the index of pins, without a walk. */
  async isPinned(cid: string, signal?: AbortSignal): Promise<boolean> {
    try {
      await this.http.json(this.call('pin/ls', { arg: cid, type: 'recursive' }, { what: `looking for the pin of ${cid}`, signal }));
      return true;
    } catch (error) {
      if (error instanceof HttpError && error.status === 500 && / is not pinned/.test(error.said)) return false;
      throw error;
    }
  }
}

/** Whether a call failed because the daemon does not have a block. */
export function isMissing(error: unknown): boolean {
  return error instanceof HttpError && /not found locally|could not find|block not found/.test(error.said);
}
