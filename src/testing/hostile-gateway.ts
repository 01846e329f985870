/**
 * For tests: a trustless gateway that misbehaves by choice. It writes its answers onto the socket itself, so that it can say what no HTTP
 * server would. What it would say in honesty comes from a `Truth` (hostile-gateway-truth.ts); what becomes of that is a `Lie`
 * (hostile-gateway-lies.ts).
 */
import { once } from 'node:events';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';

/** A request. */
export interface Asked {
  readonly method: string;
  /** With its query. */
  readonly path: string;
  /** By names in lower case. */
  readonly headers: ReadonlyMap<string, string>;
  /** How many requests for this path came before. */
  readonly nth: number;
  /** URL of the gateway, without a slash at its end. */
  readonly url: string;
}

export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
}

/** What the gateway says in honesty. */
export type Truth = (asked: Asked) => Answer | Promise<Answer>;

/** What is written onto the socket, as it stands: nothing is added to the headers, and nothing is counted. */
export interface Spoken {
  /** Status line and headers with the empty line behind them. */
  readonly head: string | AsyncIterable<Buffer>;
  readonly body: Buffer | AsyncIterable<Buffer>;
  /** What happens to the connection then. `silence`: it stays, and nothing is answered any more. */
  readonly afterwards: 'keep' | 'close' | 'reset' | 'silence';
}

/** Makes of an honest answer what is said. */
export type Lie = (truth: (asked?: Asked) => Promise<Answer>, asked: Asked) => Spoken | Promise<Spoken>;

/** Which lie a request is told; undefined: none. */
export type LieRule = (asked: Asked) => Lie | undefined;

export interface HostileGatewayOptions {
  readonly truth: Truth;
  /** A lie for each request, or the rule that chooses one. [always the truth] */
  readonly rule?: LieRule;
  /** Address that it listens on, for example `::1`. */
  readonly host?: string;
}

export class HostileGateway {
  /** May be changed at any time. */
  rule: LieRule;
  /** Method and path of every request that came. */
  readonly seen: string[] = [];
  /** Bytes that were written onto sockets. */
  sent = 0;
  readonly #truth: Truth;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  static async start(options: HostileGatewayOptions): Promise<HostileGateway> {
    const gateway = new HostileGateway(options);
    gateway.#server.listen(0, options.host ?? '127.0.0.1');
    await once(gateway.#server, 'listening');
    return gateway;
  }

  private constructor({ truth, rule = () => undefined }: HostileGatewayOptions) {
    this.#truth = truth;
    this.rule = rule;
    this.#server = createServer((socket) => {
      this.#sockets.add(socket);
      socket.setNoDelay(true);
      socket.on('error', () => {});
      socket.on('close', () => this.#sockets.delete(socket));
      this.#serve(socket).catch(() => socket.destroy());
    });
  }

  /** Without a slash at its end. */
  get url(): string {
    const { address, family, port } = this.#server.address() as AddressInfo;
    return `http://${family === 'IPv6' ? `[${address}]` : address}:${port}`;
  }

  /** Connections that are open. */
  get connections(): number {
    return this.#sockets.size;
  }

  async stop(): Promise<void> {
    const closed = once(this.#server, 'close');
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }

  /** Answers one request of a connection after the other. */
  async #serve(socket: Socket): Promise<void> {
    let unread = '';
    for await (const piece of socket) {
      unread += (piece as Buffer).toString('latin1');
      for (let end = unread.indexOf('\r\n\r\n'); end >= 0; end = unread.indexOf('\r\n\r\n')) {
        const asked = this.#asked(unread.slice(0, end));
        unread = unread.slice(end + 4);
        const goesOn = await this.#answer(socket, asked);
        if (!goesOn) return void socket.destroySoon();
      }
    }
  }

  #asked(head: string): Asked {
    const [first = '', ...lines] = head.split('\r\n');
    const [method = '', path = ''] = first.split(' ');
    const headers = new Map(
      lines.map((line) => [line.slice(0, line.indexOf(':')).toLowerCase(), line.slice(line.indexOf(':') + 1).trim()]),
    );
    const nth = this.seen.filter((line) => line === `${method} ${path}`).length;
    this.seen.push(`${method} ${path}`);
    return { method, path, headers, nth, url: this.url };
  }

  /** @returns whether the connection is kept */
  async #answer(socket: Socket, asked: Asked): Promise<boolean> {
    const truth = async (it: Asked = asked) => await this.#truth(it);
    const { head, body, afterwards } = await (this.rule(asked) ?? honestly)(truth, asked);
    await this.#write(socket, typeof head === 'string' ? [Buffer.from(head, 'latin1')] : head);
    if (asked.method !== 'HEAD') await this.#write(socket, Buffer.isBuffer(body) ? [body] : body);
    if (afterwards === 'reset') socket.resetAndDestroy();
    if (afterwards === 'silence') await gone(socket);
    return afterwards === 'keep';
  }

  /** No faster than the client takes it, and no longer than it listens. */
  async #write(socket: Socket, pieces: Iterable<Buffer> | AsyncIterable<Buffer>): Promise<void> {
    for await (const piece of pieces) {
      if (socket.destroyed) return;
      this.sent += piece.length;
      if (!socket.write(piece)) await drainedOrGone(socket);
    }
  }
}

/** The truth, with a length. */
export const honestly: Lie = async (truth) => {
  const { status, headers, body } = await truth();
  return { head: headOf(status, { ...headers, 'content-length': String(body.length) }), body, afterwards: 'keep' };
};

/** @param headers a name whose value is a list stands there once for each */
export function headOf(status: number, headers: Readonly<Record<string, string | readonly string[]>>): string {
  const lines = Object.entries(headers).flatMap(([name, values]) => [values].flat().map((value) => `${name}: ${value}\r\n`));
  return `HTTP/1.1 ${status} Whatever\r\n${lines.join('')}\r\n`;
}

function drainedOrGone(socket: Socket): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      socket.off('drain', done).off('close', done);
      resolve();
    };
    socket.on('drain', done).on('close', done);
  });
}

async function gone(socket: Socket): Promise<void> {
  if (!socket.destroyed) await once(socket, 'close');
}
