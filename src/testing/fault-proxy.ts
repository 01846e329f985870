/** An HTTP proxy in front of a real daemon that fails on demand: what a bad network and a bad reverse proxy do. */
import { createServer, type IncomingMessage, type Server, type ServerResponse, request as send } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout } from 'node:timers/promises';

export type Fault =
  /** An answer of its own; the daemon never hears of the request. */
  | { readonly kind: 'answer'; readonly status: number; readonly body?: string; readonly headers?: Readonly<Record<string, string>> }
  /** The connection is reset before the daemon hears of the request. */
  | { readonly kind: 'reset' }
  /** The connection is reset when so many bytes of the request's body have gone to the daemon. */
  | { readonly kind: 'cut-request'; readonly after: number }
  /** The connection is reset when so many bytes of the answer's body have come from the daemon. */
  | { readonly kind: 'cut-answer'; readonly after: number }
  /** The daemon does what it was asked, and nobody hears of it. */
  | { readonly kind: 'swallow-answer' }
  /** The daemon hears of the request this much later. */
  | { readonly kind: 'delay'; readonly ms: number }
  /** The daemon does not see this parameter of the query, as if it were older than that. */
  | { readonly kind: 'without'; readonly parameter: string }
  /** No answer, ever. */
  | { readonly kind: 'hang' };

/** What goes wrong with uploads, by what the proxy does. @param after bytes of one that have gone @param body of the daemon's own 500 */
export function uploadFaults(after: number, body: string): Record<string, Fault> {
  const html = { 'content-type': 'text/html' };
  return {
    'resets connections': { kind: 'reset' },
    'cuts them in the middle': { kind: 'cut-request', after },
    'says 500': { kind: 'answer', status: 500, body },
    'says 429 and when to come again': { kind: 'answer', status: 429, headers: { 'retry-after': '1' } },
    'shows a web page': { kind: 'answer', status: 200, headers: html, body: '<title>Sign in</title>' },
  };
}

/** @param path without its query @param nth how many requests for this path there were before */
export type FaultRule = (path: string, nth: number) => Fault | undefined;

export class FaultProxy {
  /** Method and path with query of every request that came. */
  readonly seen: string[] = [];
  /** Names of the files in uploads that the daemon took, and said so. */
  readonly taken: string[] = [];
  rule: FaultRule = () => undefined;
  readonly #server: Server;
  readonly #target: string;

  private constructor(target: string) {
    this.#target = target;
    this.#server = createServer((request, response) => void this.#serve(request, response).catch(() => request.socket.destroy()));
  }

  /** @param target URL of the daemon */
  static async start(target: string, rule?: FaultRule): Promise<FaultProxy> {
    const proxy = new FaultProxy(target);
    if (rule !== undefined) proxy.rule = rule;
    await new Promise<void>((resolve) => proxy.#server.listen(0, '127.0.0.1', resolve));
    return proxy;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** How often a path was asked for. */
  count(path: string): number {
    return this.seen.filter((line) => line.split(' ')[1]?.split('?')[0] === path).length;
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const path = (request.url ?? '/').split('?')[0] as string;
    const fault = this.rule(path, this.count(path));
    this.seen.push(`${request.method} ${request.url}`);
    if (fault?.kind === 'reset') return void request.socket.resetAndDestroy();
    if (fault?.kind === 'hang') return void request.resume();
    if (fault?.kind === 'answer') {
      request.resume();
      return void response.writeHead(fault.status, fault.headers).end(fault.body);
    }
    if (fault?.kind === 'delay') await setTimeout(fault.ms);
    await this.#forward(request, response, fault);
  }

  async #forward(request: IncomingMessage, response: ServerResponse, fault: Fault | undefined): Promise<void> {
    const url = new URL(request.url ?? '/', this.#target);
    if (fault?.kind === 'without') url.searchParams.delete(fault.parameter);
    const onward = send(url, { method: request.method ?? 'GET', headers: request.headers });
    const answered = new Promise<IncomingMessage>((resolve, reject) => onward.once('response', resolve).once('error', reject));
    // A client that goes away takes its request with it; the failure of either side shows where it is awaited.
    response.once('close', () => onward.destroy());
    answered.catch(() => {});
    const gone = new Promise((resolve) => onward.once('close', resolve));
    let sent = 0;
    let file: string | undefined;
    for await (const chunk of request) {
      if (sent === 0) file = /filename="([^"]+)"/.exec((chunk as Buffer).toString('latin1', 0, 1000))?.[1];
      sent += (chunk as Buffer).length;
      if (fault?.kind === 'cut-request' && sent > fault.after) {
        request.socket.resetAndDestroy();
        return;
      }
      if (!onward.write(chunk)) await Promise.race([new Promise((resolve) => onward.once('drain', resolve)), gone]);
    }
    onward.end();
    const answer = await answered;
    if (fault?.kind === 'swallow-answer') {
      for await (const _ of answer);
      return void request.socket.resetAndDestroy();
    }
    const { trailer, ...headers } = answer.headers;
    // Node refuses to announce trailers where there is no body: a Cluster does for an empty list.
    response.writeHead(answer.statusCode ?? 500, answer.statusCode === 204 ? headers : answer.headers);
    let received = 0;
    for await (const chunk of answer) {
      const piece = chunk as Buffer;
      const room = fault?.kind === 'cut-answer' ? fault.after - received : Number.POSITIVE_INFINITY;
      received += piece.length;
      if (piece.length >= room) return void response.write(piece.subarray(0, room), () => request.socket.destroy());
      response.write(piece);
    }
    if (file !== undefined && answer.statusCode === 200) this.taken.push(file);
    response.addTrailers(answer.trailers as Record<string, string>);
    response.end();
  }
}
