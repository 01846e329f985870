/** What goes wrong between us and a daemon, as errors that name the server and never its credentials. */
import { displayLine, shellWord } from '../../core/display.ts';
import { ShardctlError } from '../../core/errors.ts';
import { Drip } from './patience.ts';

/** How an error speaks of a request. */
export interface RequestNames {
  /** Name by which the settings have the server, for the command that removes it; undefined where it is in no settings. */
  readonly settingsName: string | undefined;
  /** The server, for example `peer "attic"`. */
  readonly who: string;
  /** What was being asked of it, for example `importing shard 00000003`. */
  readonly what: string;
  /** The server's address without credentials. */
  readonly address: string;
}

const MAX_SAID_CHARS = 400;

/** A request that failed. Control characters in what the server said are escaped, so that they cannot steer a terminal. */
export class HttpError extends ShardctlError {
  /** Status of the answer; undefined when there was none, or it broke off. */
  readonly status: number | undefined;
  /** What the server said was wrong; empty when it said nothing. */
  readonly said: string;
  /** The request may have reached the server, and have had its effect there. */
  readonly mayHaveActed: boolean;
  /** So many milliseconds the server asks to be left alone; undefined when it does not say. */
  readonly waitMs: number | undefined;

  constructor(
    code: ConstructorParameters<typeof ShardctlError>[0],
    message: string,
    details: {
      status?: number;
      said?: string;
      mayHaveActed: boolean;
      waitMs?: number | undefined;
      hint?: string;
      retryable?: boolean;
      cause?: unknown;
    },
  ) {
    super(code, displayLine(message), details);
    this.name = 'HttpError';
    this.status = details.status;
    this.said = displayLine(details.said ?? '').slice(0, MAX_SAID_CHARS);
    this.mayHaveActed = details.mayHaveActed;
    this.waitMs = details.waitMs;
  }
}

/** Statuses that mean "not now". */
const BUSY = new Set([429, 502, 503, 504]);
/** Statuses that a proxy in front of the daemon gives; the daemon may have done all the same what was asked of it. */
const FROM_A_PROXY = new Set([502, 504]);

/** For an answer with a status of failure. @param said what its body says @param waitMs what its header `Retry-After` says */
export function statusError({ who, what, address }: RequestNames, status: number, said: string, waitMs?: number): HttpError {
  const detail = `HTTP ${status}${said === '' ? '' : `: ${said}`}`;
  const details = { status, said, mayHaveActed: FROM_A_PROXY.has(status), retryable: BUSY.has(status), waitMs };
  if (status === 401 || status === 403) {
    return new HttpError('TOO_FEW_PEERS', `${who} (${address}) refuses our credentials: ${detail}`, {
      ...details,
      hint: 'check the token or the password that the peer is configured with',
    });
  }
  if (status === 404 || status === 405) {
    return new HttpError('TOO_FEW_PEERS', `${who} does not know this request (${address}), ${what}: ${detail}`, {
      ...details,
      hint: 'is this the URL of its API, and not of a gateway or a web page?',
    });
  }
  if (/no space left on device|disk quota exceeded/i.test(said)) {
    return new HttpError('NO_SPACE', `${who} (${address}) has no space left, ${what}: ${detail}`, {
      ...details,
      hint: 'free some space there or add a peer with `shardctl peers add`',
    });
  }
  if (status === 413) {
    return new HttpError('TOO_FEW_PEERS', `${who} (${address}) takes no upload of this size, ${what}: ${detail}`, {
      ...details,
      hint: 'a proxy in front of it limits them: for nginx, set `client_max_body_size 0;` and `proxy_request_buffering off;` there',
    });
  }
  return new HttpError('TOO_FEW_PEERS', `${what} on ${who} failed (${address}): ${detail}`, details);
}

/** For an answer that began well and then broke off, or is not what this API gives. @param why for example `the answer ends in the middle of a line` */
export function answerError(
  { who, what, address }: RequestNames,
  why: string,
  details: { status?: number; said?: string; retryable: boolean },
): HttpError {
  return new HttpError('TOO_FEW_PEERS', `${what} on ${who} failed (${address}): ${why}`, { ...details, mayHaveActed: true });
}

/** For a failure below HTTP. @param error as thrown by a system call, by TLS, or by undici */
export function transportError({ settingsName, who, what, address }: RequestNames, error: unknown, idleMs: number): HttpError {
  const code = codeOf(error);
  const never = NEVER_SENT[code];
  if (never !== undefined) {
    return new HttpError('TOO_FEW_PEERS', `${who} (${address}) cannot be reached: ${never}`, {
      mayHaveActed: false,
      // A server that took no connection for the whole time-out is not given the same time again.
      retryable: !NO_CONNECTION.has(code),
      hint:
        settingsName === undefined
          ? 'is it running, and is the URL right?'
          : `is it running, and is the URL right? If it is gone for good: \`shardctl peers rm ${shellWord(settingsName)} --force\`, then \`shardctl repair\``,
      cause: error,
    });
  }
  if (code.startsWith('ERR_TLS') || code.startsWith('ERR_SSL') || CERTIFICATE.has(code)) {
    return new HttpError('TOO_FEW_PEERS', `${who} (${address}) cannot be trusted: ${messageOf(error)}`, {
      mayHaveActed: false,
      hint: 'for a certificate of your own give its CA; for a server without TLS write http://',
      cause: error,
    });
  }
  const silent = isSilence(error);
  const why =
    error instanceof Drip
      ? error.message
      : silent
        ? `no sign of life for ${Math.round(idleMs / 1000)} s`
        : (BROKEN[code] ?? messageOf(error));
  return new HttpError('TOO_FEW_PEERS', `${what} on ${who} failed (${address}): ${why}`, {
    mayHaveActed: true,
    // A server that was silent for the whole time-out is not given the same time again.
    retryable: !silent,
    cause: error,
  });
}

/** Whether the server took the request and then answered nothing, or almost nothing. */
export function isSilence(error: unknown): boolean {
  return error instanceof Drip || codeOf(error) === 'UND_ERR_HEADERS_TIMEOUT' || codeOf(error) === 'UND_ERR_BODY_TIMEOUT';
}

const NO_CONNECTION = new Set(['UND_ERR_CONNECT_TIMEOUT', 'ETIMEDOUT']);

/** Failures before a byte of the request was sent. */
const NEVER_SENT: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'connection refused',
  ENOTFOUND: 'its host name is not known',
  EAI_AGAIN: 'its host name cannot be looked up now',
  EHOSTUNREACH: 'no route to its host',
  ENETUNREACH: 'no route to its network',
  EHOSTDOWN: 'its host is down',
  UND_ERR_CONNECT_TIMEOUT: 'it takes no connection',
  ETIMEDOUT: 'it takes no connection',
};

const BROKEN: Readonly<Record<string, string>> = {
  ECONNRESET: 'the connection was reset',
  EPIPE: 'the connection was cut',
  UND_ERR_SOCKET: 'the connection was cut',
  HPE_INVALID_CONSTANT: 'what answers there does not speak HTTP',
};

const CERTIFICATE = new Set([
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'CERT_HAS_EXPIRED',
  'CERT_NOT_YET_VALID',
  'EPROTO',
]);

function codeOf(error: unknown): string {
  const { code } = (error ?? {}) as { code?: unknown };
  return typeof code === 'string' ? code : '';
}

function messageOf(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  return text.split('\n', 1)[0] ?? '';
}
