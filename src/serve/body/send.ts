/**
 * Sends a body in windows that were hashed: as fast as the client takes them and no faster, corked, so that a window is one call of the
 * system. When a window cannot be had after the header is out, the connection is destroyed (HTTP/2: the stream is reset): the client
 * sees that the body was cut, and takes what it has for nothing less.
 */
import type { FastifyReply } from 'fastify';
import type { Window } from '../../read/files/file-bytes.ts';
import { BodyMemory } from './body-memory.ts';
import { MakingTurns } from './turns.ts';

/** What is told of an answer. */
export interface SendHooks {
  /** The answer ended before its end, because a block could not be had. */
  readonly onCut?: (error: unknown) => void;
}

export interface FileAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly from: number;
  readonly to: number;
  /** The bytes from `from` on and before `to`. May be called several times, each time for what is behind what was sent. */
  readonly windows: (from: number, to: number) => AsyncGenerator<Window, void, void>;
}

/** While memory is tight a client is sent so much at a time, whatever its leaves are; they are read and hashed again for the rest. */
const TIGHT_BYTES = 64 * 1024;

const memory = new BodyMemory();
const making = new MakingTurns();

/**
 * Resolves when the answer has ended, be it whole or not. Works on HTTP/1.1 and HTTP/2.
 * @throws whatever kept the first window from being read: then nothing was sent, and the answer is still to be given
 */
export async function sendFile(reply: FastifyReply, answer: FileAnswer, hooks: SendHooks = {}): Promise<void> {
  const { from, to, windows } = answer;
  await send(reply, answer, new Parts(windows, from, to), hooks);
}

/** A body that is made while it is sent, and cannot be begun anew in the middle. */
export interface StreamAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  /** Small ones: each client that reads slowly has one waiting. */
  readonly pieces: AsyncGenerator<Uint8Array>;
}

/** As `sendFile`. */
export async function sendStream(reply: FastifyReply, answer: StreamAnswer, hooks: SendHooks = {}): Promise<void> {
  const { pieces } = answer;
  const parts = {
    next: async () => {
      const { value } = await pieces.next();
      return value === undefined ? undefined : [value as Uint8Array];
    },
    end: async () => void (await pieces.return(undefined)),
  };
  await send(reply, answer, parts, hooks);
}

async function send(
  reply: FastifyReply,
  { status, headers }: Pick<FileAnswer, 'status' | 'headers'>,
  parts: Pick<Parts, 'next' | 'end'>,
  { onCut }: SendHooks,
): Promise<void> {
  const { raw } = reply;
  let isGone = raw.destroyed;
  raw.once('close', () => {
    isGone = true;
  });
  try {
    let window = await making.take(() => parts.next());
    reply.hijack();
    if (isGone) return;
    for (const name in headers) raw.setHeader(name, headers[name] as string);
    raw.writeHead(status);
    try {
      while (window !== undefined) {
        const share = memory.take(bytesOf(window), () => cut(raw));
        await written(raw, window);
        memory.give(share);
        if (isGone) return;
        window = await making.take(() => parts.next());
      }
      raw.end();
    } catch (error) {
      onCut?.(error);
      cut(raw);
    }
  } finally {
    await parts.end();
  }
}

/** The bytes of a body, piece by piece: in large windows, and while memory is tight in small copies that hold nothing else. */
class Parts {
  readonly #windows: FileAnswer['windows'];
  readonly #to: number;
  #at: number;
  #open: AsyncGenerator<Window, void, void> | undefined;

  constructor(windows: FileAnswer['windows'], from: number, to: number) {
    this.#windows = windows;
    this.#at = from;
    this.#to = to;
  }

  /** Valid until the next call; undefined at the end. */
  async next(): Promise<Window | undefined> {
    if (memory.isTight && this.#at < this.#to) return await this.#piece();
    this.#open ??= this.#windows(this.#at, this.#to);
    const { value } = await this.#open.next();
    if (value !== undefined) this.#at += bytesOf(value);
    return value ?? undefined;
  }

  async end(): Promise<void> {
    const open = this.#open;
    this.#open = undefined;
    await open?.return();
  }

  async #piece(): Promise<Window> {
    await this.end();
    const to = Math.min(this.#to, this.#at + TIGHT_BYTES);
    const piece: Uint8Array[] = [];
    for await (const window of this.#windows(this.#at, to)) for (const part of window) piece.push(Buffer.from(part));
    this.#at = to;
    return piece;
  }
}

type Raw = FastifyReply['raw'];

/** Resolves when the system has all of the window, or the connection is gone. */
async function written(raw: Raw, window: Window): Promise<void> {
  await new Promise<void>((resolve) => {
    const done = () => {
      raw.off('close', done);
      resolve();
    };
    raw.once('close', done);
    raw.cork();
    for (let at = 0; at < window.length; at++) {
      const part = window[at] as Uint8Array;
      if (at === window.length - 1) raw.write(part, done);
      else raw.write(part);
    }
    raw.uncork();
    if (window.length === 0) done();
  });
}

function cut(raw: Raw): void {
  if ('stream' in raw) (raw.stream as { close(code: number): void }).close(INTERNAL_ERROR);
  else raw.destroy();
}

/** Of HTTP/2: RFC 9113, 7. */
const INTERNAL_ERROR = 2;

function bytesOf(window: Window): number {
  let bytes = 0;
  for (const part of window) bytes += part.length;
  return bytes;
}
