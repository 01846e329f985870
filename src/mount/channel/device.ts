/**
 * The open /dev/fuse: requests come out of it one a read, and replies go into it one a write. It does not block: what is there is read in
 * one go, and then a thread waits until there is more. Replies are written at once. What the kernel should look at again is written by
 * a thread, one after the other, because the kernel waits there for locks of whom we have still to answer.
 */
import { writevSync } from 'node:fs';
import { setImmediate as immediate } from 'node:timers/promises';
import { errnoName } from '../../core/errno.ts';
import { errnoOf, ShardctlError } from '../../core/errors.ts';
import type { FuseCalls } from '../../core/fuse-calls.ts';
import { REQUEST_BYTES } from '../protocol/requests.ts';

const [ENOENT, EINTR, EAGAIN, ENODEV] = [2, 4, 11, 19];
/** Others get their turn after so many requests. */
const MOST_AT_ONCE = 64;

export class Device {
  readonly #calls: FuseCalls;
  readonly #fd: number;
  /** One end is for `stop`, so that no thread waits for ever: the process could not end. */
  readonly #wake: readonly [number, number];
  readonly #closeFd: (fd: number) => void;
  #isStopped = false;
  #notified: Promise<unknown> = Promise.resolve();
  /** Notifications that wait. */
  #backlog = 0;

  /** @param fd of /dev/fuse, mounted; it belongs to this object @param closeFd closes a descriptor */
  constructor(calls: FuseCalls, fd: number, closeFd: (fd: number) => void) {
    const wake = calls.socketPair();
    if (typeof wake === 'number') throw failed('making a pair of sockets', wake);
    this.#calls = calls;
    this.#fd = fd;
    this.#wake = wake;
    this.#closeFd = closeFd;
    calls.dontBlock(fd);
  }

  get backlog(): number {
    return this.#backlog;
  }

  /**
   * Hands each request to `take` until nothing is mounted any more, or `stop` is called.
   * @param take must keep nothing of the bytes
   */
  async run(take: (request: Buffer) => void): Promise<void> {
    const request = Buffer.allocUnsafeSlow(REQUEST_BYTES);
    while (!this.#isStopped) {
      const more = this.#drain(request, take);
      if (more === undefined) return;
      if (more) await immediate();
      else await this.#calls.waitForEither(this.#fd, this.#wake[0]);
    }
  }

  /** @returns false when the kernel does not want it any more */
  reply(bytes: Buffer, length: number): boolean {
    return this.#isStopped || this.#calls.write(this.#fd, bytes, length) >= 0;
  }

  /** As `reply`, from several places. @param parts at most 1023 */
  replyFrom(parts: readonly Uint8Array[]): boolean {
    try {
      if (!this.#isStopped) writevSync(this.#fd, parts);
      return true;
    } catch (error) {
      // The request was taken back.
      if (errnoOf(error) !== undefined) return false;
      throw error;
    }
  }

  /** Resolves when the kernel has heard of it. */
  async notify(bytes: Buffer): Promise<void> {
    this.#backlog++;
    this.#notified = this.#notified.then(async () => {
      // ENOENT: the kernel does not know the entry, and has nothing to look at again.
      if (!this.#isStopped) await this.#calls.writeApart(this.#fd, bytes);
      this.#backlog--;
    });
    await this.#notified;
  }

  /** Ends `run`. The kernel then fails whatever is asked of the mount, should it still stand. */
  stop(): void {
    if (this.#isStopped) return;
    this.#isStopped = true;
    this.#closeFd(this.#wake[1]);
  }

  /** After `run` has ended. */
  close(): void {
    this.stop();
    this.#closeFd(this.#wake[0]);
    this.#closeFd(this.#fd);
  }

  /** @returns whether there may be more; undefined when nothing is mounted any more */
  #drain(request: Buffer, take: (request: Buffer) => void): boolean | undefined {
    for (let taken = 0; taken < MOST_AT_ONCE; taken++) {
      const result = this.#calls.read(this.#fd, request);
      if (result > 0) take(request.subarray(0, result));
      else if (result === -EAGAIN) return false;
      else if (result === -ENODEV || result === 0) return undefined;
      else if (result !== -ENOENT && result !== -EINTR) throw failed('reading from /dev/fuse', result);
    }
    return true;
  }
}

function failed(doing: string, result: number): ShardctlError {
  return new ShardctlError('IO', `${doing} failed: ${errnoName(-result)}`);
}
