/**
 * Answers to requests, one each. What somebody has stopped waiting for is answered at once, with an error that nobody sees: the kernel
 * lets nobody go, not even who was killed, before it has an answer.
 */
import { ENTRY_BYTES, REPLY_HEADER_BYTES as HEADER, putHeader } from '../protocol/replies.ts';
import type { Device } from './device.ts';

const EINTR = 4;
/** Of one writev: IOV_MAX is 1024. */
const MOST_PARTS = 1000;

export class Answers {
  readonly #device: Pick<Device, 'reply' | 'replyFrom'>;
  /** Requests that have no answer yet. */
  readonly #open = new Set<number>();
  readonly #small = Buffer.alloc(HEADER + ENTRY_BYTES);

  constructor(device: Pick<Device, 'reply' | 'replyFrom'>) {
    this.#device = device;
  }

  /** Requests that wait for an answer. */
  get open(): number {
    return this.#open.size;
  }

  expect(unique: number): void {
    this.#open.add(unique);
  }

  expects(unique: number): boolean {
    return this.#open.has(unique);
  }

  /**
   * A short answer. @param bodyBytes at most ENTRY_BYTES @param put writes the body behind the header
   * @returns whether the kernel has taken it, as for all that follow
   */
  put(unique: number, bodyBytes: number, put: (into: Buffer) => void): boolean {
    if (!this.#open.delete(unique)) return false;
    const length = HEADER + bodyBytes;
    putHeader(this.#small, unique, 0, length);
    put(this.#small);
    return this.#device.reply(this.#small, length);
  }

  /** @param make makes the body, if it is still wanted */
  made(unique: number, bodyBytes: number, make: () => Buffer): boolean {
    return this.#open.delete(unique) && this.#device.replyFrom([headerOf(unique, bodyBytes), make()]);
  }

  /** @param reply with room for its header */
  whole(unique: number, reply: Buffer): boolean {
    if (!this.#open.delete(unique)) return false;
    putHeader(reply, unique, 0, reply.length);
    return this.#device.reply(reply, reply.length);
  }

  bytes(unique: number, parts: readonly Uint8Array[]): boolean {
    if (!this.#open.delete(unique)) return false;
    const few = parts.length > MOST_PARTS ? [Buffer.concat(parts)] : parts;
    const length = few.reduce((sum, part) => sum + part.length, 0);
    return this.#device.replyFrom([headerOf(unique, length), ...few]);
  }

  refuse(unique: number, errno: number): void {
    if (!this.#open.delete(unique)) return;
    putHeader(this.#small, unique, errno, HEADER);
    this.#device.reply(this.#small, HEADER);
  }

  /** Somebody has stopped waiting for this answer. */
  interrupt(unique: number): void {
    this.refuse(unique, EINTR);
  }
}

function headerOf(unique: number, bodyBytes: number): Buffer {
  const header = Buffer.alloc(HEADER);
  putHeader(header, unique, 0, HEADER + bodyBytes);
  return header;
}
