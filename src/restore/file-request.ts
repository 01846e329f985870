/** A range of a shard's file from a daemon, as it comes in. By the requests of gateways: to load undici in each thread would take 70 ms. */
import { ShardctlError } from '../core/errors.ts';
import type { RoomForPiece, TakePiece } from '../gateway/answer.ts';
import { GATEWAY_LIMITS, type GatewayLimits } from '../gateway/failure.ts';
import { Connections } from '../gateway/request.ts';
import type { ShardBytes } from '../peer/peer.ts';

type FileStream = ShardBytes & { readonly form: 'file' };

/** A daemon that sends nothing for so long is given up. It has the shard on its disk; when it lacks a block, it may look for that elsewhere. */
const LIMITS: GatewayLimits = { ...GATEWAY_LIMITS, silenceMs: 20_000 };
/** The same of a gateway, where there is another way to have the bytes: what stands behind its address may be anything. */
const LIMITS_BEFORE_ANOTHER: GatewayLimits = { ...LIMITS, connectMs: GATEWAY_LIMITS.quietMs, silenceMs: GATEWAY_LIMITS.quietMs };
const [OK, PARTIAL] = [200, 206];

/** Bytes of the file from `from` to before `to`. */
export interface FileWish {
  readonly from: number;
  readonly to: number;
  /** Whether nobody else is asked after this one. */
  readonly isLast: boolean;
}

/** What one thread asks daemons; their connections are kept for the next range. */
export class FileRequests {
  readonly #connections = new Map<string, Connections>();

  /**
   * Resolves when `take` wants no more, or at the end.
   * @throws ShardctlError `TOO_FEW_PEERS` for an answer that is not the range; GatewayFailure; what `take` throws
   */
  async read(source: FileStream, { from, to, isLast }: FileWish, take: TakePiece, room: RoomForPiece): Promise<void> {
    const isGateway = source.range === 'header';
    const limits = isGateway && !isLast ? LIMITS_BEFORE_ANOTHER : LIMITS;
    const url = new URL(source.url);
    const headers: Record<string, string> = { ...source.headers };
    if (source.range === 'header') headers.range = `bytes=${from}-${to - 1}`;
    else {
      url.searchParams.set('offset', String(from));
      url.searchParams.set('length', String(to - from));
    }
    const path = url.pathname.slice(1) + url.search;
    const answer = await this.#connectionsTo(url.origin, source.ca, limits).ask({ path, method: source.method, headers, bytes: to - from });
    const isRange = answer.status === PARTIAL || (answer.status === OK && (source.range === 'query' || from === 0));
    if (isRange) return await answer.read(limits, undefined, take, room);
    answer.discard();
    throw new ShardctlError('TOO_FEW_PEERS', `HTTP ${answer.status}`);
  }

  close(): void {
    for (const connections of this.#connections.values()) connections.close();
  }

  #connectionsTo(url: string, ca: string | undefined, limits: GatewayLimits): Connections {
    const key = `${url} ${ca} ${limits.silenceMs}`;
    const connections = this.#connections.get(key) ?? new Connections({ url, ca }, limits);
    this.#connections.set(key, connections);
    return connections;
  }
}
