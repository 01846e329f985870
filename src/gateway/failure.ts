/** What goes wrong with a gateway, and what follows from it. */
import { messageOf } from '../core/errors.ts';

/**
 * `lies`: what it gave is not what was asked for, so it is asked nothing any more. `absent`: it does not have this. `busy`: it asks to be
 * left alone for a while. `broken`: it cannot be reached, broke off, or was too slow; after a few times in a row it is asked no more.
 * `lags`: it works, and another one is many times as fast, so that one goes on.
 */
export type FailureKind = 'lies' | 'absent' | 'busy' | 'broken' | 'lags';

export class GatewayFailure extends Error {
  readonly kind: FailureKind;
  /** Milliseconds for which a busy gateway asks to be left alone; undefined when it does not say. */
  readonly waitMs: number | undefined;

  constructor(kind: FailureKind, message: string, { waitMs, cause }: { waitMs?: number | undefined; cause?: unknown } = {}) {
    super(message, { cause });
    this.kind = kind;
    this.waitMs = waitMs;
  }
}

/** For how long, and how slow, a gateway may be. All times in milliseconds. */
export interface GatewayLimits {
  /** Until a connection stands. */
  readonly connectMs: number;
  /** Without a byte of the answer. A gateway that has to look for a block among its peers is silent meanwhile. */
  readonly silenceMs: number;
  /**
   * Without a byte of a shard, until the gateway is asked whether it has the block that comes next. One that has not would look for it among its
   * peers, in the middle of the stream, for half a minute (Kubo's `Gateway.RetrievalTimeout`) and longer.
   */
  readonly quietMs: number;
  /**
   * In each window of `windowMs` that is spent waiting, so many bytes a second must come in at least, also from the last gateway that is
   * left. So a block takes at most one window, or its bytes at that rate.
   */
  readonly windowMs: number;
  readonly leastBytesPerSecond: number;
  /** How long a gateway is left alone that failed; twice as long with each time in a row. */
  readonly firstPauseMs: number;
  /** How often a stream is compared with what other gateways give. */
  readonly paceMs: number;
  /** A gateway that asks to be left alone for longer is asked no more. */
  readonly longestPauseMs: number;
  /** An answer of so many bytes comes on a connection of its own: that is worth the round trips which such a one takes to get going. */
  readonly longBytes: number;
}

export const GATEWAY_LIMITS: GatewayLimits = {
  connectMs: 10_000,
  silenceMs: 60_000,
  quietMs: 5_000,
  windowMs: 60_000,
  leastBytesPerSecond: 1024,
  paceMs: 5_000,
  firstPauseMs: 250,
  longestPauseMs: 60_000,
  longBytes: 8 * 1024 * 1024,
};

/** For what node:http and node:net throw: most of it is the weather, but what does not speak HTTP will not learn it. */
export function failureOf(error: unknown): GatewayFailure {
  if (error instanceof GatewayFailure) return error;
  const { code } = (error ?? {}) as { code?: unknown };
  const said = typeof code === 'string' ? (SAID[code] ?? messageOf(error)) : messageOf(error);
  const isNonsense = typeof code === 'string' && code.startsWith('HPE_') && code !== 'HPE_INVALID_EOF_STATE';
  return new GatewayFailure(isNonsense ? 'lies' : 'broken', isNonsense ? `it does not speak HTTP: ${said}` : said, { cause: error });
}

const PLAIN = 'it does not speak TLS there: write http:// if that is what it speaks';

const SAID: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'connection refused',
  ENOTFOUND: 'its host name is not known',
  EAI_AGAIN: 'its host name cannot be looked up now',
  EHOSTUNREACH: 'no route to its host',
  ENETUNREACH: 'no route to its network',
  ETIMEDOUT: 'it takes no connection',
  ECONNRESET: 'the connection was cut',
  EPIPE: 'the connection was cut',
  EPROTO: PLAIN,
  ERR_SSL_WRONG_VERSION_NUMBER: PLAIN,
  ERR_SSL_PACKET_LENGTH_TOO_LONG: PLAIN,
  ERR_SSL_HTTP_REQUEST: PLAIN,
};
