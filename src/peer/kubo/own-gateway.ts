/**
 * The gateway of a daemon, where its own settings say that there is one. From there the file of a shard takes the daemon half of the processor
 * time that `cat` of its RPC takes (docs/measurements.md, "Reading back"). It is no evidence of anything, and whoever reads hashes all of it.
 */
import { ShardctlError } from '../../core/errors.ts';
import { hashesTo, parseCid } from '../../dag/cid.ts';
import { HttpClient, PROMPT_MS } from '../http/client.ts';
import { Gateway } from '../remote/gateway.ts';
import type { KuboRpc } from './rpc.ts';

const LISTENS_AT = /^\/(?:ip4|ip6|dns|dns4|dns6)\/([^/]+)\/tcp\/(\d{1,5})(?:\/http)?$/;
const MOST_PORT = 65_535;
/** What it does not have it shall not look for among its peers. */
const AT_HAND = { 'cache-control': 'only-if-cached' };

/** Gives the request for the file of a shard, of which a part is asked for by a header; to be closed. */
export interface OwnGateway {
  plainFile(cid: string): ReturnType<Gateway['plainFile']>;
  close(): Promise<void>;
}

/**
 * Undefined where the daemon says of none that can be reached the way its RPC is, and where what answers there does not have the shard: behind
 * a tunnel it may be somebody else's.
 * @param cid of a shard that the daemon should have @param patienceMs for an answer: nothing is lost without it
 */
export async function ownGateway(rpc: KuboRpc, cid: string, patienceMs = PROMPT_MS): Promise<OwnGateway | undefined> {
  for (const url of gatewayUrls(await listensAt(rpc), rpc.http.address)) {
    const http = new HttpClient({ url, who: `the gateway of ${rpc.http.who}` });
    const gateway = new Gateway(http);
    if (await has(gateway, cid, AbortSignal.timeout(patienceMs)))
      return {
        plainFile: (shard) => ({ ...gateway.plainFile(shard), headers: AT_HAND }),
        close: () => http.close(),
      };
    await http.close();
  }
  return undefined;
}

/**
 * Where a gateway can be asked by whoever reaches the RPC. The daemon does not choose the machine: it may be told to listen on loopback, which
 * means this machine only where its RPC is on loopback, too.
 * @param listens `Addresses.Gateway`, a multiaddr or a list of them; or whatever else came @param rpc URL of the RPC
 */
export function gatewayUrls(listens: unknown, rpc: string): string[] {
  const { protocol, hostname } = new URL(rpc);
  // Behind TLS there is a proxy, and what that lets through is not known.
  if (protocol !== 'http:') return [];
  const isNear = isLoopback(hostname);
  const urls: string[] = [];
  for (const listen of Array.isArray(listens) ? listens : [listens]) {
    const [, address = '', port = ''] = LISTENS_AT.exec(String(listen)) ?? [];
    const host = address.includes(':') ? `[${address}]` : address;
    if (host === '' || Number(port) < 1 || Number(port) > MOST_PORT) continue;
    // By the name `localhost` a gateway would send whoever asks on to a name of its own for each CID.
    if (isEverywhere(host)) urls.push(`http://${hostname === 'localhost' ? '127.0.0.1' : hostname}:${port}`);
    else if (isLoopback(host) ? isNear : host === hostname) urls.push(`http://${host === 'localhost' ? '127.0.0.1' : host}:${port}`);
  }
  return [...new Set(urls)];
}

async function listensAt(rpc: KuboRpc): Promise<unknown> {
  try {
    return await rpc.config('Addresses.Gateway');
  } catch (error) {
    // Whoever is let in to read may not be let in to see this.
    if (error instanceof ShardctlError) return undefined;
    throw error;
  }
}

/** Whether it gives the root of the shard. */
async function has(gateway: Gateway, cid: string, signal: AbortSignal): Promise<boolean> {
  const request = {
    method: 'GET',
    path: `ipfs/${cid}`,
    query: { format: 'raw' },
    headers: AT_HAND,
    what: `reading ${cid}`,
    signal,
  } as const;
  try {
    const root = await gateway.http.whole(request, (response) => response.all());
    return hashesTo(root, parseCid(cid).digest);
  } catch (error) {
    if (error instanceof ShardctlError || signal.aborted) return false;
    throw error;
  }
}

function isEverywhere(host: string): boolean {
  return host === '0.0.0.0' || host === '[::]';
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '[::1]' || /^127(?:\.\d{1,3}){3}$/.test(host);
}
