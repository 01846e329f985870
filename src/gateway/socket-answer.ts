/**
 * A long answer, on a connection of its own, read into one buffer that is used over and over. Of 1.1 GB that nginx sent over loopback,
 * node:http takes 1.3 s of processor time to hand out pieces of 64 KiB, each a buffer of its own; this takes 0.4 s. Whoever has room for a
 * counted body gets it there.
 */
import { connect, type Socket } from 'node:net';
import { type Answer, BodyWatch, type RoomForPiece, type TakePiece } from './answer.ts';
import { type BodyFraming, ChunkedBody, CountedBody, nonsense, UncountedBody } from './body-framing.ts';
import { failureOf, GatewayFailure, type GatewayLimits } from './failure.ts';

/** What the kernel has is read in one go, and still fits into the processor's cache. */
const READ_BYTES = 256 * 1024;
const END_OF_HEAD = '\r\n\r\n';
const STATUS_LINE = /^HTTP\/1\.[01] (\d{3})(?: |$)/;
const HEADER = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*(.*?)[ \t]*$/;

export interface SocketRequest {
  readonly host: string;
  readonly port: number;
  readonly method: string;
  /** With its query, as it stands in the request line. */
  readonly path: string;
  /** Names and values without line breaks. */
  readonly headers: Readonly<Record<string, string>>;
  readonly mostHeaderBytes: number;
  /** Interim answers that are passed over. */
  readonly mostHints: number;
}

/** The answer, when its headers are here. @throws GatewayFailure; whatever `signal` was aborted with */
export function askBySocket(request: SocketRequest, limits: GatewayLimits, signal: AbortSignal | undefined): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const answer = new SocketAnswer(request, limits, (error) => {
      signal?.removeEventListener('abort', abort);
      if (error === undefined) resolve(answer);
      else reject(error);
    });
    const abort = () => answer.fail(signal?.reason);
    signal?.addEventListener('abort', abort, { once: true });
  });
}

class SocketAnswer implements Answer {
  status = 0;
  readonly #request: SocketRequest;
  readonly #socket: Socket;
  #headers: ReadonlyMap<string, string> = new Map();
  #head = '';
  #hints = 0;
  #framing: BodyFraming = new CountedBody(0);
  /** What came of the body together with the headers. */
  #first: Buffer = Buffer.alloc(0);
  /** Told once when the headers are here; then once when the body is over. */
  #onEvent: (error?: unknown) => void;
  /** Undefined until the body is read. */
  #take: TakePiece | undefined;
  #roomForPiece: RoomForPiece | undefined;
  #heard: (bytes: number) => void = () => {};
  #timer: NodeJS.Timeout;
  #isOver = false;
  /** Why it is over, where nobody has been told yet. */
  #failure: { readonly error: unknown } | undefined;

  constructor(request: SocketRequest, { connectMs, silenceMs }: GatewayLimits, onHead: (error?: unknown) => void) {
    this.#request = request;
    const after = (ms: number, why: string) => setTimeout(() => this.fail(new GatewayFailure('broken', why)), ms);
    this.#timer = after(connectMs, 'it takes no connection');
    this.#onEvent = (error) => {
      clearTimeout(this.#timer);
      onHead(error);
    };
    const { host, port, method, path, headers } = request;
    const own = Buffer.allocUnsafeSlow(READ_BYTES);
    const callback = (bytes: number, buffer: Uint8Array) => this.#came((buffer as Buffer).subarray(0, bytes));
    const socket = connect({ host, port, onread: { buffer: () => this.#room() ?? own, callback } });
    this.#socket = socket;
    socket.once('connect', () => {
      clearTimeout(this.#timer);
      this.#timer = after(silenceMs, `no sign of life for ${silenceMs / 1000} s`);
    });
    socket.on('error', (error) => this.fail(failureOf(error)));
    const end = () => {
      if (this.#take !== undefined && this.#framing.mayEnd) this.#end();
      else this.fail(new GatewayFailure('broken', 'it breaks off'));
    };
    socket.once('end', end);
    socket.once('close', () => this.fail(new GatewayFailure('broken', 'it breaks off')));
    const lines = Object.entries({ ...headers, connection: 'close' }).map(([name, value]) => `${name}: ${value}\r\n`);
    socket.write(`${method} ${path} HTTP/1.1\r\n${lines.join('')}\r\n`, 'latin1');
  }

  header(name: string): string | undefined {
    return this.#headers.get(name);
  }

  read(limits: GatewayLimits, signal: AbortSignal | undefined, take: TakePiece, room?: RoomForPiece): Promise<void> {
    return new Promise((resolve, reject) => {
      const watch = new BodyWatch(limits, (failure) => this.fail(failure));
      const abort = () => this.fail(signal?.reason);
      signal?.addEventListener('abort', abort, { once: true });
      this.#heard = (bytes) => watch.heard(bytes);
      this.#onEvent = (error) => {
        watch.end();
        signal?.removeEventListener('abort', abort);
        if (error === undefined) resolve();
        else reject(error);
      };
      this.#take = take;
      // The sizes of chunks are no bytes of the body.
      if (this.#framing instanceof CountedBody) this.#roomForPiece = room;
      if (signal?.aborted) abort();
      if (this.#failure !== undefined) this.#onEvent(this.#failure.error);
      if (this.#came(this.#first)) this.#socket.resume();
    });
  }

  discard(): void {
    this.#isOver = true;
    this.#socket.destroy();
  }

  fail(error: unknown): void {
    if (this.#isOver) return;
    this.discard();
    this.#failure = { error };
    this.#onEvent(error);
  }

  #end(): void {
    if (this.#isOver) return;
    this.discard();
    this.#onEvent();
  }

  /** Where the next read goes, which is asked after each one; undefined where nobody has room for it. */
  #room(): Buffer | undefined {
    const room = this.#isOver ? undefined : this.#roomForPiece?.(READ_BYTES);
    return room?.length === 0 ? undefined : room;
  }

  /** @returns whether the socket is to read on */
  #came(bytes: Buffer): boolean {
    if (this.#isOver) return false;
    try {
      if (this.#take === undefined) return this.#takeHead(bytes);
      this.#heard(bytes.length);
      if (this.#framing.push(bytes, this.#take)) return true;
      this.#end();
    } catch (error) {
      this.fail(error);
    }
    return false;
  }

  #takeHead(bytes: Buffer): boolean {
    const { mostHeaderBytes, mostHints } = this.#request;
    const before = this.#head.length;
    // One character a byte.
    this.#head += bytes.toString('latin1', 0, mostHeaderBytes);
    for (let taken = 0; ; ) {
      const end = this.#head.indexOf(END_OF_HEAD);
      if (end < 0 || end > mostHeaderBytes) {
        if (this.#head.length >= mostHeaderBytes || !'HTTP/1.'.startsWith(this.#head.slice(0, 7)))
          throw nonsense('it has no headers, or too many');
        return true;
      }
      const head = this.#head.slice(0, end);
      taken += end + END_OF_HEAD.length;
      this.#head = this.#head.slice(end + END_OF_HEAD.length);
      this.#parseHead(head);
      if (this.status >= 200) {
        this.#first = Buffer.from(bytes.subarray(taken - before));
        this.#head = '';
        this.#onEvent();
        return false;
      }
      if (this.status === 101 || ++this.#hints > mostHints) throw new GatewayFailure('lies', 'it hints without an end');
    }
  }

  #parseHead(head: string): void {
    const [first = '', ...lines] = head.split('\r\n');
    const status = STATUS_LINE.exec(first)?.[1];
    if (status === undefined) throw nonsense('it has no status');
    this.status = Number(status);
    const headers = new Map<string, string>();
    for (const line of lines) {
      const [, name = '', value = ''] = HEADER.exec(line) ?? [];
      if (name === '') throw nonsense('a header has no name');
      const key = name.toLowerCase();
      if (key === 'content-length' && (headers.get(key) ?? value) !== value) throw nonsense('it says two lengths');
      if (!headers.has(key)) headers.set(key, value);
    }
    this.#headers = headers;
    this.#framing = this.#framingBy(headers);
  }

  #framingBy(headers: ReadonlyMap<string, string>): BodyFraming {
    const length = headers.get('content-length');
    const coding = headers.get('transfer-encoding');
    if (this.status === 204 || this.status === 304) return new CountedBody(0);
    if (coding !== undefined) {
      if (coding.toLowerCase() !== 'chunked' || length !== undefined) throw nonsense(`its transfer is neither counted nor chunked`);
      return new ChunkedBody();
    }
    if (length === undefined) return new UncountedBody();
    if (!/^\d{1,15}$/.test(length)) throw nonsense('its length is no number');
    return new CountedBody(Number(length));
  }
}
