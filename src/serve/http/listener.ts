/**
 * A listening server with its bounds: how many connections, how long a client may take to send a request or to take its answer. What is
 * refused here reaches no route.
 *
 * With TLS it speaks HTTP/2 as well as HTTP/1.1, because Kubo reads from elsewhere than private addresses over HTTP/2 only. Seen with Node
 * 20.20 (nghttp2 1.61) and raw frames: nghttp2 ends a session after 1,000 streams that its client has reset and with a flood of
 * CONTINUATION; Node destroys one with a flood of SETTINGS or PING within 0.1 s. What nobody bounds is how many requests all sessions
 * together bring: a hundred streams each. So those of HTTP/2 always go through the turnstile.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createSecureServer, type Http2SecureServer, type ServerHttp2Session, type ServerHttp2Stream } from 'node:http2';
import type { AddressInfo, Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { errnoOf, reasonOf, ShardctlError } from '../../core/errors.ts';
import { bodiesAreTooMany } from '../body/send.ts';
import { noteArrival } from '../body/turns.ts';
import { BodilessRequest } from '../body/whole-answer.ts';
import { type TcpAddress, urlOf } from './addresses.ts';
import { limitUnsent } from './connection-handle.ts';
import { isAhead, waitForThoseBefore } from './requests-ahead.ts';
import { SlowReaders } from './slow-readers.ts';
import { type Handle, Turnstile } from './turnstile.ts';

/** From the first byte of a connection or request to the end of the header, and to the end of the request. */
const HEADER_MS = 20_000;
const REQUEST_MS = 30_000;
/** A connection with nothing under way; longer than nginx keeps one to a server behind it (60 s), so that nginx never writes into a closing one. */
const IDLE_MS = 65_000;
/**
 * A client that takes no byte of what waits for it, or a route that gives none. It is longer than the minute for which a daemon may be
 * silent (`peer/http/client.ts`): who waits for the only holder of a block is told 503 then, rather than cut.
 */
export const SILENCE_MS = 75_000;
const HANDSHAKE_MS = 10_000;
/** How often Node looks for requests that take too long. */
const LOOK_MS = 5_000;
const MOST_HEADER_BYTES = 16_384;
const MOST_HEADERS = 100;
const MOST_STREAMS = 100;
/** Over the limit, as many are told so at once; beyond that they are closed without a word. */
const MOST_TOLD = 256;
const BUSY = 'HTTP/1.1 503 Service Unavailable\r\nRetry-After: 5\r\nConnection: close\r\nContent-Length: 0\r\n\r\n';
/** Requests that are worked on at once. A connection of HTTP/1.1 has one, so fewer connections cannot have more; one of HTTP/2 has up to 100. */
const MOST_AT_ONCE = 256;
/**
 * So many connections may have the system take as much as it likes, 2.5 MiB each if nobody reads: large files cost a third less then. Those
 * that come beside them may not (`limitUnsent`), so that thousands of clients who read slowly take little of its memory.
 */
const MOST_UNLIMITED = 64;
/** With something waiting for it, a client must take this much in this time: 0.5 KiB a second. */
const SLOW_MS = 30_000;
const SLOW_BYTES = 16_384;
const MOST_SLOW = 128;
/** How often connections that have become idle are closed while the server is stopping. */
const DRAIN_STEP_MS = 50;

export interface Certificate {
  /** PEM, the server's own first. */
  readonly cert: Buffer;
  readonly key: Buffer;
}

/** What befalls connections, for who counts. */
export type Incident = 'connection-refused' | 'reader-dropped';

export interface ListenerOptions {
  readonly handle: Handle;
  /**
   * Answers a request of HTTP/1.1 at once, if it can: such an answer takes no place, and waits for no memory that bodies have, as two thousand
   * clients take all of it who read slowly. @returns whether it did
   */
  readonly answer?: (request: IncomingMessage, response: ServerResponse) => boolean;
  readonly certificate: Certificate | undefined;
  readonly mostConnections: number;
  readonly onIncident: (kind: Incident) => void;
}

/** Where to listen: an address, or a socket that systemd has opened. */
export type Place = TcpAddress | { readonly fd: number };

/** Node's types lack what it has for clients of HTTP/1.1. */
type SecureServer = Http2SecureServer & Pick<Server, 'closeIdleConnections' | 'timeout'>;

export class Listener {
  readonly #options: ListenerOptions;
  readonly #server: Server | SecureServer;
  readonly #sockets = new Set<Socket>();
  readonly #sessions = new Set<ServerHttp2Session>();
  readonly #turnstile: Turnstile;
  readonly #slowReaders: SlowReaders;

  /** @throws ShardctlError `BAD_CONFIG` when certificate and key do not go together */
  constructor(options: ListenerOptions) {
    this.#options = options;
    this.#turnstile = new Turnstile(MOST_AT_ONCE, options.handle, bodiesAreTooMany);
    this.#slowReaders = new SlowReaders(this.#sockets, {
      everyMs: SLOW_MS,
      leastBytes: SLOW_BYTES,
      mostSlow: MOST_SLOW,
      onDrop: () => options.onIncident('reader-dropped'),
    });
    const begin: Handle = (request, response) => {
      const isHttp1 = request.httpVersionMajor === 1;
      if (isHttp1 && options.answer?.(request, response) === true) return;
      if (isHttp1 && this.#sockets.size <= MOST_AT_ONCE) options.handle(request, response);
      else this.#turnstile.enter(request, response);
    };
    const handle: Handle = (request, response) => {
      if (isAhead(request, response)) waitForThoseBefore(request, response, () => begin(request, response));
      else begin(request, response);
    };
    this.#server = options.certificate === undefined ? plainServer(handle) : secureServer(handle, options.certificate);
    this.#server.maxConnections = options.mostConnections + (options.certificate === undefined ? MOST_TOLD : 0);
    this.#server.on('drop', () => options.onIncident('connection-refused'));
    this.#server.prependListener('connection', (socket: Socket) => this.#accept(socket));
    this.#server.on('session', (session: ServerHttp2Session) => this.#begin(session));
    if (options.certificate === undefined) {
      this.#server.on('timeout', (socket: Socket) => this.#drop(socket));
    }
  }

  get connections(): number {
    return this.#sockets.size;
  }

  /** @returns its URL, or the path of a Unix socket @throws ShardctlError `USAGE`, `IO` */
  async listen(place: Place): Promise<string> {
    const server = this.#server;
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen('fd' in place ? place : { ...place, backlog: 4096 }, () => {
        server.off('error', reject);
        resolve();
      });
    }).catch((error: unknown) => {
      throw cannotListen(place, error);
    });
    // Later ones, as when the process has no file descriptors left, concern one connection each.
    server.on('error', () => {});
    const address = server.address() as AddressInfo | string | null;
    if (address === null || typeof address === 'string') return address ?? 'a socket';
    return urlOf({ host: address.address, port: address.port }, this.#options.certificate !== undefined);
  }

  /** New connections get this certificate. @throws ShardctlError `BAD_CONFIG` */
  renew(certificate: Certificate): void {
    const server = this.#server;
    if ('setSecureContext' in server) usable(() => server.setSecureContext(certificate));
  }

  /** Accepts nothing more, and resolves when all answers under way have ended, or were cut after `ms`. */
  async drain(ms: number): Promise<void> {
    let isClosed = false;
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve())).then(() => {
      isClosed = true;
    });
    for (const session of this.#sessions) session.close();
    const deadline = performance.now() + ms;
    while (!isClosed && performance.now() < deadline) {
      this.#server.closeIdleConnections();
      await Promise.race([closed, sleep(DRAIN_STEP_MS)]);
    }
    for (const session of this.#sessions) session.destroy();
    for (const socket of this.#sockets) socket.destroy();
    this.#slowReaders.close();
    await closed;
  }

  #accept(socket: Socket): void {
    socket.on('error', () => {});
    if (this.#options.certificate === undefined && this.#sockets.size >= this.#options.mostConnections) {
      this.#options.onIncident('connection-refused');
      socket.end(BUSY, () => socket.destroy());
      return;
    }
    this.#sockets.add(socket);
    if (this.#sockets.size > MOST_UNLIMITED) limitUnsent(socket);
    noteArrival();
    socket.once('close', () => this.#sockets.delete(socket));
  }

  #begin(session: ServerHttp2Session): void {
    this.#sessions.add(session);
    session.once('close', () => this.#sessions.delete(session));
    session.on('error', () => {});
    session.on('stream', (stream: ServerHttp2Stream) => {
      stream.setTimeout(SILENCE_MS, () => {
        if (stream.writableLength > 0) this.#options.onIncident('reader-dropped');
        stream.destroy();
      });
    });
  }

  /** Nothing has moved on the connection for as long as it may be silent. */
  #drop(socket: Socket): void {
    if (socket.writableLength > 0) this.#options.onIncident('reader-dropped');
    socket.destroy();
  }
}

function plainServer(handle: Handle): Server {
  const server = createServer(
    {
      maxHeaderSize: MOST_HEADER_BYTES,
      headersTimeout: HEADER_MS,
      requestTimeout: REQUEST_MS,
      keepAliveTimeout: IDLE_MS,
      connectionsCheckingInterval: LOOK_MS,
      noDelay: true,
      IncomingMessage: BodilessRequest,
    },
    handle,
  );
  server.maxHeadersCount = MOST_HEADERS;
  server.timeout = SILENCE_MS;
  return server;
}

function secureServer(handle: Handle, { cert, key }: Certificate): SecureServer {
  const server = usable(() =>
    createSecureServer(
      {
        cert,
        key,
        allowHTTP1: true,
        handshakeTimeout: HANDSHAKE_MS,
        maxHeaderListPairs: MOST_HEADERS,
        maxSessionInvalidFrames: 100,
        maxSessionRejectedStreams: 100,
        // MiB: headers, what waits to be sent, and what was not acknowledged. With more than this a session gets no new streams.
        maxSessionMemory: 4,
        unknownProtocolTimeout: HANDSHAKE_MS,
        settings: { maxConcurrentStreams: MOST_STREAMS, maxHeaderListSize: MOST_HEADER_BYTES, enablePush: false },
      },
      handle as never,
    ),
  ) as SecureServer;
  // What Node looks at for clients of HTTP/1.1; as options it takes none of these here.
  Object.assign(server, {
    headersTimeout: HEADER_MS,
    requestTimeout: REQUEST_MS,
    keepAliveTimeout: IDLE_MS,
    connectionsCheckingInterval: LOOK_MS,
    maxHeadersCount: MOST_HEADERS,
    maxHeaderSize: MOST_HEADER_BYTES,
    requireHostHeader: true,
  });
  server.timeout = SILENCE_MS;
  return server;
}

function usable<T>(make: () => T): T {
  try {
    return make();
  } catch (error) {
    throw new ShardctlError('BAD_CONFIG', `the certificate and its key cannot be used: ${reasonOf(error)}`, { cause: error });
  }
}

function cannotListen(place: Place, error: unknown): ShardctlError {
  const errno = errnoOf(error);
  if ('fd' in place)
    return new ShardctlError('IO', `cannot listen on the socket that was handed over: ${reasonOf(error)}`, { cause: error });
  const where = `${place.host.includes(':') ? `[${place.host}]` : place.host}:${place.port}`;
  const hint =
    errno === 'EADDRINUSE'
      ? `see who does with \`ss -ltnp sport = :${place.port}\`, or name another port with --listen`
      : errno === 'EACCES'
        ? 'ports below 1024 need the right to them: listen on another, or have systemd hand the socket over (docs/serve.md)'
        : 'name an address of this machine with --listen';
  const code = errno === 'EADDRINUSE' || errno === 'EACCES' ? 'IO' : 'USAGE';
  return new ShardctlError(code, `cannot listen on ${where}: ${reasonOf(error)}`, { hint, cause: error });
}
