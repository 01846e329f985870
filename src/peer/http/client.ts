/**
 * HTTP to daemons: streaming both ways, trailers, redirects, retries. It alone uses undici, which is loaded with the first request:
 * loading it takes 70 ms, and most runs have no daemon to talk to.
 *
 * undici's own time-outs are 300 s for the headers and for each piece of the body. A pin may take longer than that, so each request says
 * for how long its server may be silent.
 */
import type { Agent, Dispatcher } from 'undici';
import { ShardctlError } from '../../core/errors.ts';
import { retrying } from '../../core/waiting.ts';
import { type Address, type Credentials, parseAddress } from './address.ts';
import { answerError, HttpError, isSilence, type RequestNames, statusError, transportError } from './error.ts';
import { HttpResponse, isHtml } from './response.ts';

/** A server that only has to look something up is given up after this much silence. */
const IDLE_MS = 60_000;
/** A daemon gives at once what it has in memory, also under load. A frozen one takes connections and never answers. */
export const PROMPT_MS = 5_000;
const ATTEMPTS = 4;
const FIRST_PAUSE_MS = 250;
/** A server that asks in `Retry-After` for a longer pause than this is given up. */
const MAX_PAUSE_MS = 60_000;
const MAX_REDIRECTS = 3;
/** How much is read of an answer that says what is wrong. */
const MAX_SAID_BYTES = 64 * 1024;
const MAX_SAID_CHARS = 400;

export interface HttpClientOptions extends Credentials {
  /** URL of the API; paths of requests are below it. */
  readonly url: string;
  /** What errors call the server, for example `peer "attic"`. */
  readonly who: string;
  /** Name by which the settings have the server, which hints of errors give to commands. Undefined where it is in no settings. */
  readonly settingsName?: string | undefined;
  /** Milliseconds of silence that are allowed to a server that was silent before. [5 s] */
  readonly promptMs?: number | undefined;
  /** Certificates to trust instead of the system's, PEM. */
  readonly ca?: string | undefined;
}

export interface HttpRequest {
  readonly method: 'GET' | 'POST' | 'DELETE';
  /** Below the URL of the API, without a slash in front. */
  readonly path: string;
  /** A parameter that is undefined is left out; one with several values is repeated. */
  readonly query?: Readonly<Record<string, string | number | boolean | readonly string[] | undefined>>;
  readonly headers?: Readonly<Record<string, string>>;
  /** Called once for each attempt. A `ShardctlError` that it throws is passed on as it is. */
  readonly body?: () => AsyncIterable<Uint8Array>;
  /** Bytes of the body; when undefined the body is sent with chunked encoding. */
  readonly bodyBytes?: number;
  /** What the request does, for errors: `importing shard 00000003`. */
  readonly what: string;
  /** Whether sending it twice has the same effect as once, so that it may be sent again when its outcome is not known. [true without a body] */
  readonly repeatable?: boolean;
  /** Milliseconds of silence after which the server is given up; 0: never. [60 s] */
  readonly idleMs?: number;
  /** Statuses from 300 that are answers and no failures. */
  readonly accept?: readonly number[];
  /** The connection is closed after this request. */
  readonly closeAfter?: boolean;
  readonly signal?: AbortSignal | undefined;
}

export interface PlainRequest {
  readonly method: HttpRequest['method'];
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly ca: string | undefined;
}

export class HttpClient {
  readonly who: string;
  /** The server's address without credentials, for messages. */
  readonly address: string;
  readonly settingsName: string | undefined;
  readonly #promptMs: number;
  readonly #server: Address;
  readonly #ca: string | undefined;
  #agent: Promise<Agent> | undefined;
  /** The server was silent for as long as a request allowed. Until it answers again, no other request waits for it as long. */
  #hangs = false;

  /** Connects to nothing yet. @throws ShardctlError `USAGE` when the URL is none */
  constructor({ url, who, settingsName, promptMs = PROMPT_MS, ca, ...credentials }: HttpClientOptions) {
    this.who = who;
    this.settingsName = settingsName;
    this.#promptMs = promptMs;
    this.#server = parseAddress(url, credentials);
    this.address = this.#server.base.href.replace(/\/$/, '');
    this.#ca = ca;
  }

  /**
   * Sends a request, again where that can do no harm, and gives an answer whose status is below 300 (or accepted).
   * @throws HttpError; whatever `signal` was aborted with
   */
  async request(request: HttpRequest): Promise<HttpResponse> {
    const pauseAfter = (error: unknown, attempt: number) => {
      if (!(error instanceof HttpError) || !error.retryable || attempt === ATTEMPTS) return undefined;
      if (error.mayHaveActed && !isRepeatable(request)) return undefined;
      const pauseMs = error.waitMs ?? FIRST_PAUSE_MS * 2 ** (attempt - 1) * (0.75 + Math.random() / 2);
      return pauseMs > MAX_PAUSE_MS ? undefined : pauseMs;
    };
    return await retrying(() => this.#attempt(request), pauseAfter, request.signal);
  }

  /** The answer as JSON, read again from the beginning when it breaks off and asking twice does no harm. */
  async json(request: HttpRequest): Promise<unknown> {
    return await this.whole(request, (response) => response.json());
  }

  /** As `request`, for an answer that `read` takes in whole: a repeatable request is sent again when its answer breaks off. */
  async whole<T>(request: HttpRequest, read: (response: HttpResponse) => Promise<T>): Promise<T> {
    let isAnswered = false;
    const work = async () => {
      isAnswered = false;
      const response = await this.request(request);
      isAnswered = true;
      return await read(response);
    };
    const pauseAfter = (error: unknown, attempt: number) => {
      // A request that got no answer was sent again already, as often as that may help.
      if (!isAnswered || !(error instanceof HttpError) || !error.retryable || !isRepeatable(request) || attempt === ATTEMPTS)
        return undefined;
      return FIRST_PAUSE_MS * 2 ** (attempt - 1);
    };
    return await retrying(work, pauseAfter, request.signal);
  }

  /** The request as plain data, for a thread that makes it by other means: its URL, its headers with the credentials, whose certificates to trust. */
  plain({ method, path, query, headers }: Pick<HttpRequest, 'method' | 'path' | 'query' | 'headers'>): PlainRequest {
    const { base, authorization } = this.#server;
    const url = urlOf(base, path, query);
    return { method, url: url.href, headers: { ...(authorization === undefined ? {} : { authorization }), ...headers }, ca: this.#ca };
  }

  /** Cuts every connection. */
  async close(): Promise<void> {
    const agent = await this.#agent;
    this.#agent = undefined;
    await agent?.destroy();
  }

  async #attempt(request: HttpRequest): Promise<HttpResponse> {
    request.signal?.throwIfAborted();
    const asked = request.idleMs ?? IDLE_MS;
    const idleMs = this.#hangs && asked > 0 ? Math.min(asked, this.#promptMs) : asked;
    const names: RequestNames = { settingsName: this.settingsName, who: this.who, what: request.what, address: this.address };
    let data: Dispatcher.ResponseData;
    try {
      data = await this.#send(request, idleMs);
    } catch (error) {
      if (request.signal?.aborted) throw request.signal.reason;
      this.#hangs = isSilence(error);
      throw error instanceof ShardctlError ? error : transportError(names, error, idleMs);
    }
    this.#hangs = false;
    const response = new HttpResponse(data, names, idleMs, request.signal);
    if (response.status < 300 || request.accept?.includes(response.status)) return response;
    const said = await this.#said(response);
    if (response.status < 400) {
      const why = `HTTP ${response.status} to ${response.header('location') ?? 'nowhere'}`;
      throw answerError(names, why, { status: response.status, retryable: false });
    }
    throw statusError(names, response.status, said, retryAfterMs(response.header('retry-after')));
  }

  /** Follows redirects that keep the method and stay on this server: no other server may see the credentials. */
  async #send(request: HttpRequest, idleMs: number): Promise<Dispatcher.ResponseData> {
    const agent = await this.#load();
    const { base, authorization } = this.#server;
    let url = urlOf(base, request.path, request.query);
    for (let hops = 0; ; hops++) {
      const body = request.body?.();
      const data = await agent.request({
        origin: url.origin,
        path: url.pathname + url.search,
        method: request.method,
        headers: {
          ...(authorization === undefined ? {} : { authorization }),
          ...(request.bodyBytes === undefined ? {} : { 'content-length': String(request.bodyBytes) }),
          ...request.headers,
        },
        ...(body === undefined ? {} : { body: body as unknown as Dispatcher.DispatchOptions['body'] }),
        headersTimeout: idleMs,
        bodyTimeout: idleMs,
        reset: request.closeAfter === true,
        signal: request.signal ?? null,
      } as Dispatcher.RequestOptions);
      const to = redirectOf(data, url);
      if (to === undefined || to.origin !== base.origin || hops === MAX_REDIRECTS) return data;
      data.body.on('error', () => {}).destroy();
      url = to;
    }
  }

  #load(): Promise<Agent> {
    this.#agent ??= (async () => {
      const { Agent } = await import('undici');
      return new Agent({ connect: { timeout: PROMPT_MS, ...(this.#ca === undefined ? {} : { ca: this.#ca }) } });
    })();
    return this.#agent;
  }

  /** What an answer says is wrong: the message of a JSON error, else its text. Secrets are cut out, because daemons echo what they were sent. */
  async #said(response: HttpResponse): Promise<string> {
    let text: string;
    try {
      text = await response.text(MAX_SAID_BYTES);
    } catch (error) {
      if (error instanceof HttpError) return error.said;
      throw error;
    }
    let said = isHtml(response.header('content-type')) ? titleOf(text) : messageIn(text);
    for (const secret of this.#server.secrets) said = said.replaceAll(secret, '…');
    // Control characters must not steer the terminal.
    return said
      .replace(/[\s\p{Cc}]+/gu, ' ')
      .trim()
      .slice(0, MAX_SAID_CHARS);
  }
}

function urlOf(base: URL, path: string, query: HttpRequest['query'] = {}): URL {
  const url = new URL(path, base);
  for (const [key, value] of Object.entries(query)) {
    for (const one of Array.isArray(value) ? value : [value]) if (one !== undefined) url.searchParams.append(key, String(one));
  }
  return url;
}

function redirectOf({ statusCode, headers }: Dispatcher.ResponseData, from: URL): URL | undefined {
  const { location } = headers;
  if ((statusCode !== 307 && statusCode !== 308) || typeof location !== 'string' || !URL.canParse(location, from.href)) return undefined;
  const to = new URL(location, from);
  // A server that leaves out the query means the same query.
  if (to.search === '') to.search = from.search;
  return to;
}

/** Kubo calls the field `Message`, IPFS Cluster `message`. */
function messageIn(text: string): string {
  try {
    const { Message, message } = (JSON.parse(text) ?? {}) as { Message?: unknown; message?: unknown };
    if (typeof Message === 'string') return Message;
    if (typeof message === 'string') return message;
  } catch {
    return text;
  }
  return text;
}

function titleOf(html: string): string {
  const title = /<title[^>]*>([^<]*)/i.exec(html)?.[1]?.trim() ?? '';
  return title === '' ? 'a web page' : `a web page, "${title}"`;
}

/** Whether sending the request twice does no harm. */
function isRepeatable({ repeatable, body }: HttpRequest): boolean {
  return repeatable ?? body === undefined;
}

/** @param value of `Retry-After`: seconds, or a date */
function retryAfterMs(value: string | undefined): number | undefined {
  if (value === undefined) return undefined;
  const seconds = Number(value);
  const ms = Number.isFinite(seconds) ? seconds * 1000 : Date.parse(value) - Date.now();
  return Number.isFinite(ms) ? Math.max(0, ms) : undefined;
}
