/**
 * Sends a body that was hashed, as fast as the client takes it and no faster. When something cannot be had after the header is out, the
 * connection is destroyed (HTTP/2: the stream is reset): the client sees that the body was cut, and takes what it has for nothing less.
 *
 * A body begins in slices: copies of a part of a leaf, the next of which is written when the system has all of the one before. When the
 * socket is full, the leaf is let go, and read and hashed again later: whoever reads slowly has one slice waiting and nothing more.
 * A client that has shown to be quick gets whole windows, corked, so that each is one call of the system.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { FastifyReply } from 'fastify';
import { BodyMemory, type Share } from './body-memory.ts';
import { FileParts, type HoldsBytes, type Parts, StreamParts, type Windows } from './parts.ts';
import { SliceBuffers } from './slice-buffers.ts';
import { MakingTurns } from './turns.ts';
import { bytesOf, cut, type Raw, written } from './writing.ts';

/** Event of a response: its body is to wait, be it for its turn, for the disk or for its client, and is small in memory until then. */
export const BODY_WAITS = 'bodyWaits';
/** Each body that waits for its turn holds a request. With more than this the next ones keep their places among those that are worked on. */
const MOST_WAITING = 2048;

/** A client is quick that takes so much in this time: more than the buffers of a connection take when nobody reads. */
const QUICK_BYTES = 4 * 1024 * 1024;
const QUICK_MS = 500;
/**
 * With more bodies than this that wait for their turn, slices are small: whoever comes is answered in the next turn of the event loop, which
 * took 2.8 ms in the mean with slices of 256 KiB, and 0.3 with these, while two thousand clients who read slowly came at once.
 */
const CROWD = 32;
const CROWD_SLICE_BYTES = 64 * 1024;
/** A leaf is kept so long for a socket that is full: that of a quick client has room again by then. */
const GRACE_MS = 4;

/** What bounds the bodies of a process. */
export interface BodyBounds {
  readonly memory: BodyMemory;
  readonly making: MakingTurns;
}

export interface SendHooks {
  /** The answer ended before its end, because a block could not be had. */
  readonly onCut?: (error: unknown) => void;
  /** Called with all bytes of the body, in order, before they go out. */
  readonly onBytes?: ((bytes: Uint8Array) => void) | undefined;
  /** Those of the process, unless a test has its own. */
  readonly bounds?: BodyBounds;
}

export interface FileAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly from: number;
  readonly to: number;
  /** The bytes from `from` on and before `to`. May be called several times, each time for what is behind what was sent. */
  readonly windows: Windows;
  /** Absent where nothing could be removed that the body needs. */
  readonly hold?: HoldsBytes | undefined;
}

/** A body that is made while it is sent, and cannot be begun anew in the middle. */
export interface StreamAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  /** Each client that reads slowly has one waiting; the next is made when there is room for it. */
  readonly pieces: AsyncGenerator<Uint8Array>;
}

const sliceBuffers = new SliceBuffers();
const ofProcess: BodyBounds = { memory: new BodyMemory(), making: new MakingTurns() };

/** Bodies that are made as a whole; each takes a leaf of a MiB or so to be read and hashed. */
const makingWhole = new MakingTurns(16);

/** Whether what waits for clients takes all the memory that there is for it, so that nothing more should be begun. */
export function bodiesAreTooMany(): boolean {
  return ofProcess.memory.isFull();
}

/**
 * Counts a body that is given to Node as a whole, until it was sent. Not of a client of HTTP/1.1, who has one at a time: a client of HTTP/2
 * may ask for a hundred of them on each connection, and take none.
 */
export function countUntilSent(raw: Raw, bytes: number): void {
  if (!('stream' in raw)) return;
  const { memory } = ofProcess;
  const share = memory.take(bytes, () => cut(raw));
  raw.once('close', () => memory.give(share));
}

/** Makes such a body when it is its turn. */
export async function madeInTurn<T>(make: () => Promise<T>): Promise<T> {
  return await makingWhole.take(make);
}

/**
 * Resolves when the answer has ended, be it whole or not. Works on HTTP/1.1 and HTTP/2.
 * @throws whatever kept the first window from being read: then nothing was sent, and the answer is still to be given
 */
export async function sendFile(reply: FastifyReply, answer: FileAnswer, hooks: SendHooks = {}): Promise<void> {
  const { windows, from, to, hold } = answer;
  await new Sending(reply, answer, new FileParts(windows, from, to, hold), hooks).run();
}

/** As `sendFile`. */
export async function sendStream(reply: FastifyReply, answer: StreamAnswer, hooks: SendHooks = {}): Promise<void> {
  await new Sending(reply, answer, new StreamParts(answer.pieces), hooks).run();
}

/** Something was written; resolves when the system has it, or the connection is gone. */
interface Step {
  readonly taken: Promise<unknown>;
}

class Sending {
  readonly #reply: FastifyReply;
  readonly #raw: Raw;
  readonly #head: Pick<FileAnswer, 'status' | 'headers'>;
  readonly #parts: Parts;
  readonly #hooks: SendHooks;
  readonly #bounds: BodyBounds;
  #isGone: boolean;
  #hasBegun = false;
  /** What this body has of the memory. */
  #share: Share | undefined;
  #isQuick = false;
  #judgedAt = performance.now();
  #bytesSince = 0;

  constructor(reply: FastifyReply, head: Pick<FileAnswer, 'status' | 'headers'>, parts: Parts, hooks: SendHooks) {
    this.#reply = reply;
    this.#raw = reply.raw;
    this.#head = head;
    this.#parts = parts;
    this.#hooks = hooks;
    this.#bounds = hooks.bounds ?? ofProcess;
    this.#isGone = this.#raw.destroyed;
    this.#raw.once('close', () => {
      this.#isGone = true;
    });
  }

  async run(): Promise<void> {
    const { memory, making } = this.#bounds;
    const isStream = this.#parts.inSlices === undefined;
    if (making.waiting < MOST_WAITING) this.#raw.emit(BODY_WAITS);
    try {
      for (;;) {
        // Nothing is kept while it waits for its turn.
        if (!this.#getsWindows) await this.#parts.end();
        if (isStream && this.#share === undefined) await memory.room();
        const step = await making.take(async () => {
          if (this.#isGone) return undefined;
          // Others may have taken the room before its turn came.
          return isStream && this.#share === undefined && memory.isTight ? 'again' : await this.#step();
        });
        if (step === 'again') continue;
        if (step === undefined) break;
        await step.taken;
        this.#judge();
      }
      this.#begin();
      if (!this.#isGone) this.#raw.end();
    } catch (error) {
      if (!this.#hasBegun) throw error;
      this.#hooks.onCut?.(error);
      cut(this.#raw);
    } finally {
      this.#hold(0);
      await this.#parts.close();
    }
  }

  get #getsWindows(): boolean {
    return this.#parts.inSlices === undefined || (this.#isQuick && !this.#bounds.memory.isTight);
  }

  #begin(): void {
    if (this.#hasBegun) return;
    this.#hasBegun = true;
    this.#reply.hijack();
    if (this.#isGone) return;
    const { status, headers } = this.#head;
    for (const name in headers) this.#raw.setHeader(name, headers[name] as string);
    this.#raw.writeHead(status);
  }

  async #step(): Promise<Step | undefined> {
    if (!this.#getsWindows) return await this.#sendSlices();
    const window = await this.#parts.next();
    this.#hold(0);
    if (window === undefined || this.#isGone) return undefined;
    this.#begin();
    const bytes = bytesOf(window);
    if (this.#hooks.onBytes !== undefined) for (const part of window) this.#hooks.onBytes(part);
    this.#bytesSince += bytes;
    // Until the next one is made: meanwhile it is read ahead, or whoever makes the stream still has the block that it is a copy of.
    this.#hold(bytes * this.#parts.windowsHeld);
    return { taken: written(this.#raw, window) };
  }

  /** Sends slices of a leaf until the socket is full. */
  async #sendSlices(): Promise<Step | undefined> {
    const { memory, making } = this.#bounds;
    let step: Step | undefined;
    const most = making.waiting > CROWD ? Math.min(CROWD_SLICE_BYTES, memory.sliceBytes) : memory.sliceBytes;
    await this.#parts.inSlices?.(most, sliceBuffers, async (slice) => {
      if (this.#isGone) return false;
      this.#begin();
      let isTaken = false;
      this.#bytesSince += slice.length;
      this.#hold(slice.length);
      this.#hooks.onBytes?.(slice);
      const taken = written(this.#raw, [slice]).then((hasAll) => {
        isTaken = true;
        this.#hold(0);
        if (hasAll) sliceBuffers.give(slice);
      });
      step = { taken };
      // Everybody else has a turn meanwhile, and the socket takes what it has room for.
      await making.pause();
      if (!isTaken && !memory.isTight) await Promise.race([taken, sleep(GRACE_MS)]);
      return isTaken;
    });
    return step;
  }

  #judge(): void {
    if (this.#bytesSince < QUICK_BYTES) return;
    const now = performance.now();
    this.#isQuick = now - this.#judgedAt < (QUICK_MS * this.#bytesSince) / QUICK_BYTES;
    this.#judgedAt = now;
    this.#bytesSince = 0;
  }

  #hold(bytes: number): void {
    const { memory } = this.#bounds;
    if (this.#share !== undefined) memory.give(this.#share);
    this.#share = bytes === 0 ? undefined : memory.take(bytes, () => cut(this.#raw));
  }
}
