/**
 * Reads shards through an HTTP gateway. Every byte is hashed, so what is read is right. The gateway may have it from anybody, so it is no
 * evidence that a certain peer has the shard.
 */
import type { HttpClient } from '../http/client.ts';
import type { HttpResponse } from '../http/response.ts';
import type { ShardReader } from '../peer.ts';
import { openShard, type ShardSource } from './remote-reader.ts';

/** A gateway that must fetch a block from others is silent meanwhile, and answers 504 when it has not found the block. */
const IDLE_MS = 120_000;
const PARTIAL = 206;
/** Not there, gone, not to be had, not found in time. */
const NOT_THERE = new Set([404, 410, 412, 504]);

/** @throws ShardctlError `DAMAGE` when the gateway does not give the whole manifest */
export async function openThrough(gateway: Gateway, cid: string): Promise<ShardReader> {
  const reader = await openShard(gateway, cid);
  return {
    isSecondHand: true,
    blocks: reader.blocks,
    contents: () => reader.contents(),
    read: (digest) => reader.read(digest),
    scan: (onDamage) => reader.scan(onDamage),
    close: () => reader.close(),
  };
}

export class Gateway implements ShardSource {
  readonly http: HttpClient;

  /** @param http whose URL is the gateway's, without `/ipfs` */
  constructor(http: HttpClient) {
    this.http = http;
  }

  async block(cid: string, what: string): Promise<Buffer | undefined> {
    const request = {
      method: 'GET',
      path: `ipfs/${cid}`,
      query: { format: 'raw' },
      what,
      idleMs: IDLE_MS,
      accept: [...NOT_THERE],
    } as const;
    return await this.http.whole(request, async (response) => {
      if (NOT_THERE.has(response.status)) return response.discard() as undefined;
      return await response.all();
    });
  }

  async *range(cid: string, offset: number, length: number): AsyncGenerator<Buffer> {
    const headers = { range: `bytes=${offset}-${offset + length - 1}` };
    const response = await this.http.request({ method: 'GET', path: `ipfs/${cid}`, headers, what: `reading ${cid}`, idleMs: IDLE_MS });
    if (response.status === PARTIAL) yield* response.bytes();
    // Any other status brings the whole shard, which was not asked for.
    else response.discard();
  }

  /** The request for the shard's file, of which a part is asked for by a header. */
  plainFile(cid: string) {
    return { ...this.http.plain({ method: 'GET', path: `ipfs/${cid}` }), method: 'GET', range: 'header' } as const;
  }

  exportCar(cid: string, what: string): Promise<HttpResponse> {
    return this.http.request({ method: 'GET', path: `ipfs/${cid}`, query: { format: 'car' }, what, idleMs: IDLE_MS });
  }
}
