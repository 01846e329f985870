/** An answer as it comes in. Whoever has one must read it to its end or discard it: otherwise its connection stays in use. */
import type { Dispatcher } from 'undici';
import { answerError, type HttpError, type RequestNames, transportError } from './error.ts';
import { type AnswerKind, Patience } from './patience.ts';

/** Most bytes of an answer that is held whole, and of one line of a stream of JSON. */
const MAX_BYTES = 16 * 1024 * 1024;
const NEWLINE = 0x0a;

export class HttpResponse {
  readonly status: number;
  readonly #data: Dispatcher.ResponseData;
  readonly #names: RequestNames;
  readonly #idleMs: number;
  readonly #signal: AbortSignal | undefined;

  constructor(data: Dispatcher.ResponseData, names: RequestNames, idleMs: number, signal: AbortSignal | undefined) {
    this.status = data.statusCode;
    this.#data = data;
    this.#names = names;
    this.#idleMs = idleMs;
    this.#signal = signal;
  }

  /** One header, by its name in lower case. */
  header(name: string): string | undefined {
    const value = this.#data.headers[name];
    return typeof value === 'string' ? value : value?.[0];
  }

  /**
   * The body, as a stream.
   * @throws HttpError when it breaks off, when it drips, or when the trailer says that it is not complete: a daemon that fails after it
   * has sent 200 has no other way to say so
   */
  bytes(): AsyncGenerator<Buffer> {
    return this.#pieces('stream');
  }

  async *#pieces(kind: AnswerKind): AsyncGenerator<Buffer> {
    const { body, trailers } = this.#data;
    const patience = new Patience(kind, this.#idleMs);
    try {
      let askedAt = performance.now();
      for await (const chunk of body) {
        patience.took((chunk as Buffer).length, performance.now() - askedAt);
        yield chunk as Buffer;
        askedAt = performance.now();
      }
    } catch (error) {
      if (this.#signal?.aborted) throw this.#signal.reason;
      throw transportError(this.#names, error, this.#idleMs);
    } finally {
      this.discard();
    }
    const said = trailers['x-stream-error'];
    if (said !== undefined && said !== '') throw this.#broken(said, { said, retryable: true });
  }

  /** The whole body. @throws HttpError when it is longer than anything that is asked for in this way */
  async all(): Promise<Buffer> {
    const chunks: Buffer[] = [];
    let bytes = 0;
    for await (const chunk of this.#pieces('whole')) {
      chunks.push(chunk);
      bytes += chunk.length;
      if (bytes > MAX_BYTES) throw this.#broken('the answer does not end', { retryable: false });
    }
    const [first, ...others] = chunks;
    return first !== undefined && others.length === 0 ? first : Buffer.concat(chunks);
  }

  /** The whole body as text, at most `most` bytes of it. */
  async text(most = MAX_BYTES): Promise<string> {
    const chunks: Buffer[] = [];
    let bytes = 0;
    for await (const chunk of this.#pieces('whole')) {
      chunks.push(chunk);
      bytes += chunk.length;
      if (bytes > most) break;
    }
    return Buffer.concat(chunks).toString('utf8', 0, most);
  }

  /** The body as JSON. */
  async json(): Promise<unknown> {
    this.#expectJson();
    return this.#parse(await this.text());
  }

  /** The body as JSON, one value a line. An empty answer (204) has no lines. @throws HttpError when the last line has no newline: it was cut off */
  async *lines(): AsyncGenerator<unknown> {
    if (this.status === 204) return this.discard();
    this.#expectJson();
    let rest: Buffer = Buffer.alloc(0);
    for await (const chunk of this.bytes()) {
      rest = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
      let from = 0;
      for (let end = rest.indexOf(NEWLINE); end >= 0; end = rest.indexOf(NEWLINE, from)) {
        const line = rest.toString('utf8', from, end).trim();
        from = end + 1;
        if (line !== '') yield this.#parse(line);
      }
      rest = rest.subarray(from);
      if (rest.length > MAX_BYTES) throw this.#broken('a line of the answer is too long');
    }
    if (rest.toString('utf8').trim() !== '') throw this.#broken('the answer ends in the middle of a line');
  }

  /** Cuts the connection, for a body that nobody reads to its end. */
  discard(): void {
    const { body } = this.#data;
    // Destroying the body makes it fail, which nobody needs to hear of.
    body.on('error', () => {});
    body.destroy();
  }

  #expectJson(): void {
    if (!isHtml(this.header('content-type'))) return;
    this.discard();
    throw this.#broken('the answer is a web page: this is not the API, or a proxy answers for it', { retryable: false });
  }

  #parse(text: string): unknown {
    try {
      return JSON.parse(text);
    } catch {
      throw this.#broken('the answer is not JSON');
    }
  }

  #broken(why: string, details: { said?: string; retryable: boolean } = { retryable: true }): HttpError {
    return answerError(this.#names, why, { status: this.status, ...details });
  }
}

export function isHtml(contentType: string | undefined): boolean {
  return /^\s*(text\/html|application\/xhtml)/i.test(contentType ?? '');
}
