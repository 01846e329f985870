/** What one gateway or daemon is asked by HTTP, over connections that are kept; a long answer comes on one of its own. */
import { Agent as HttpAgent, request as httpRequest } from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';
import { isIP } from 'node:net';
import { displayUrl } from '../core/display.ts';
import { ShardctlError } from '../core/errors.ts';
import { percentDecoded } from '../core/path-bytes.ts';
import type { Answer } from './answer.ts';
import { failureOf, GatewayFailure, type GatewayLimits } from './failure.ts';
import { HttpAnswer } from './http-answer.ts';
import { askBySocket } from './socket-answer.ts';

const MAX_REDIRECTS = 4;
const MAX_HEADER_BYTES = 64 * 1024;
/** Interim answers, such as 103: one or two are usual, and they could come without an end. */
const MOST_HINTS = 8;

/** Where a gateway is, as plain data that a worker thread can be given. */
export interface GatewayAddress {
  /** `http://host:port/` or `https://host/prefix/`; user and password in it go along as Basic credentials. */
  readonly url: string;
  /** Certificates to trust instead of the system's, PEM. */
  readonly ca?: string | undefined;
}

export interface Asking {
  /** Below the URL of the gateway, without a slash in front, with its query. */
  readonly path: string;
  readonly method?: 'GET' | 'HEAD' | 'POST';
  readonly headers?: Readonly<Record<string, string>>;
  /** Bytes that the body is expected to have, when it may be long. */
  readonly bytes?: number;
  readonly signal?: AbortSignal | undefined;
}

/** The connections to one gateway. */
export class Connections {
  /** Without credentials: for messages. */
  readonly name: string;
  readonly #base: URL;
  readonly #authorization: string | undefined;
  readonly #limits: GatewayLimits;
  readonly #http: HttpAgent;
  readonly #https: HttpsAgent;

  /** Connects to nothing yet. @throws ShardctlError `USAGE` when the URL is none of http or https */
  constructor({ url, ca }: GatewayAddress, limits: GatewayLimits) {
    if (!URL.canParse(url) || !/^https?:$/.test(new URL(url).protocol)) {
      throw new ShardctlError('USAGE', `"${displayUrl(url)}" is not the URL of a gateway`, {
        hint: 'write for example http://127.0.0.1:8080',
      });
    }
    const base = new URL(url);
    const { username, password } = base;
    if (username !== '' || password !== '') {
      // A password need not be encoded as a URL demands it: "50%off" is taken as it stands.
      const pair = `${percentDecoded(username)}:${percentDecoded(password)}`;
      this.#authorization = `Basic ${Buffer.from(pair, 'latin1').toString('base64')}`;
    }
    base.username = '';
    base.password = '';
    base.search = '';
    base.hash = '';
    if (!base.pathname.endsWith('/')) base.pathname += '/';
    this.#base = base;
    this.name = base.href.replace(/\/$/, '');
    this.#limits = limits;
    // How many requests run at once is decided by whoever asks.
    this.#http = new HttpAgent({ keepAlive: true, maxFreeSockets: 16, timeout: 0 });
    this.#https = new HttpsAgent({ keepAlive: true, maxFreeSockets: 16, timeout: 0, ...(ca === undefined ? {} : { ca }) });
  }

  /**
   * The answer, when its headers are here. Follows redirects that lead to the same machine: a gateway may move from http to https, and to
   * a subdomain of its own for each CID. No other address is ever asked, because a gateway must not choose whom we talk to.
   * @throws GatewayFailure; whatever `signal` was aborted with
   */
  async ask(asking: Asking): Promise<Answer> {
    let url = new URL(asking.path, this.#base);
    for (let hops = 0; ; hops++) {
      const answer = await this.#send(url, asking);
      const { status } = answer;
      if (status < 300 || status > 399 || status === 304) return answer;
      answer.discard();
      const to = answer.header('location') ?? '';
      const next = URL.canParse(to, url.href) ? new URL(to, url) : undefined;
      if (next === undefined || !isSameServer(url, next)) throw new GatewayFailure('lies', `it leads elsewhere (HTTP ${status})`);
      if (hops === MAX_REDIRECTS) throw new GatewayFailure('lies', 'it leads on and on');
      if (next.search === '') next.search = url.search;
      url = next;
    }
  }

  close(): void {
    this.#http.destroy();
    this.#https.destroy();
  }

  #send(url: URL, { method = 'GET', headers: its = {}, bytes = 0, signal }: Asking): Promise<Answer> {
    signal?.throwIfAborted();
    const isSecure = url.protocol === 'https:';
    // A subdomain of the gateway's is asked at the gateway itself.
    const host = this.#base.hostname.replace(/^\[|\]$/g, '');
    const target = {
      host,
      port: url.port === '' ? (isSecure ? 443 : 80) : Number(url.port),
      path: url.pathname + url.search,
      method,
      headers: {
        host: url.host,
        'accept-encoding': 'identity',
        ...(this.#authorization === undefined ? {} : { authorization: this.#authorization }),
        ...its,
      },
    };
    if (!isSecure && bytes >= this.#limits.longBytes)
      return askBySocket({ ...target, mostHeaderBytes: MAX_HEADER_BYTES, mostHints: MOST_HINTS }, this.#limits, signal);
    const { connectMs, silenceMs } = this.#limits;
    return new Promise((resolve, reject) => {
      const options = {
        ...target,
        agent: isSecure ? this.#https : this.#http,
        maxHeaderSize: MAX_HEADER_BYTES,
        // RFC 6066, 3: an address is no name of a server.
        ...(isSecure ? { servername: isIP(host) === 0 ? url.hostname : '' } : {}),
      };
      const request = (isSecure ? httpsRequest : httpRequest)(options);
      let timer = setTimeout(() => request.destroy(new GatewayFailure('broken', 'it takes no connection')), connectMs);
      const stop = () => request.destroy(signal?.reason as Error);
      const done = () => {
        clearTimeout(timer);
        signal?.removeEventListener('abort', stop);
      };
      signal?.addEventListener('abort', stop, { once: true });
      const wait = () => {
        clearTimeout(timer);
        timer = setTimeout(() => request.destroy(new GatewayFailure('broken', `no sign of life for ${silenceMs / 1000} s`)), silenceMs);
      };
      request.once('socket', (socket) => {
        if (socket.connecting) socket.once(isSecure ? 'secureConnect' : 'connect', wait);
        else wait();
      });
      let hints = 0;
      request.on('information', () => {
        if (++hints > MOST_HINTS) request.destroy(new GatewayFailure('lies', 'it hints without an end'));
      });
      request.once('response', (answer) => {
        done();
        resolve(new HttpAnswer(answer));
      });
      request.on('error', (error) => {
        done();
        reject(signal?.aborted ? signal.reason : failureOf(error));
      });
      // An answer that changes the protocol (101) ends a request that asked for no such thing without a word.
      request.once('close', () => {
        done();
        reject(new GatewayFailure('broken', 'it breaks off'));
      });
      request.end();
    });
  }
}

/** The same host, or a subdomain of it (subdomain gateways); the same port, unless http becomes https. */
function isSameServer(from: URL, to: URL): boolean {
  if (to.protocol !== from.protocol && !(from.protocol === 'http:' && to.protocol === 'https:')) return false;
  if (to.username !== '' || to.password !== '') return false;
  const isSamePort = to.protocol === from.protocol ? to.port === from.port : to.port === '' && from.port === '';
  return (
    isSamePort &&
    (to.hostname === from.hostname ||
      (/^[a-z0-9-]+\.(ipfs|ipns)\./.test(to.hostname.slice(0, -from.hostname.length)) && to.hostname.endsWith(`.${from.hostname}`)))
  );
}
