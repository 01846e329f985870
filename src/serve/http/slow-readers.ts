/**
 * Drops clients that hardly take what waits for them: each holds memory for as long as he likes. A client that takes nothing at all is
 * dropped by the time-out of its connection; this is about those who take a byte now and then, which that time-out counts as life.
 */
import type { Socket } from 'node:net';
import { handleOf } from './connection-handle.ts';

export interface SlowReadersOptions {
  /** Milliseconds; a client must have taken `leastBytes` within each, as long as something waits for it. */
  readonly everyMs: number;
  readonly leastBytes: number;
  /** As many may have taken less than that since the look before; of more, those that have been slow longest are dropped at once. */
  readonly mostSlow: number;
  readonly onDrop: () => void;
}

/** Clients that are measured, with what they had taken when their time began. */
interface Measured {
  readonly taken: number;
  readonly since: number;
}

/** How often it is looked, within each of these times. */
const LOOKS = 10;

export class SlowReaders {
  readonly #options: SlowReadersOptions;
  readonly #sockets: ReadonlySet<Socket>;
  readonly #measured = new Map<Socket, Measured>();
  readonly #timer: NodeJS.Timeout;

  /** @param sockets those that are open; looked at again and again */
  constructor(sockets: ReadonlySet<Socket>, options: SlowReadersOptions) {
    this.#options = options;
    this.#sockets = sockets;
    this.#timer = setInterval(() => this.look(performance.now()), options.everyMs / LOOKS).unref();
  }

  /** @param now milliseconds of a clock that only goes on */
  look(now: number): void {
    const { everyMs, leastBytes, mostSlow } = this.#options;
    for (const socket of this.#sockets) {
      const { taken, waiting } = progressOf(socket);
      const before = this.#measured.get(socket);
      if (waiting === 0) this.#measured.delete(socket);
      else if (before === undefined || taken - before.taken >= leastBytes) {
        // To the end of the list: those that have been slow longest are first.
        this.#measured.delete(socket);
        this.#measured.set(socket, { taken, since: now });
      } else if (now - before.since >= everyMs) this.#drop(socket);
    }
    const slow: Socket[] = [];
    for (const [socket, { since }] of this.#measured) {
      if (!this.#sockets.has(socket)) this.#measured.delete(socket);
      else if (since < now) slow.push(socket);
    }
    for (const socket of slow.slice(0, Math.max(0, slow.length - mostSlow))) this.#drop(socket);
  }

  close(): void {
    clearInterval(this.#timer);
  }

  #drop(socket: Socket): void {
    this.#measured.delete(socket);
    this.#options.onDrop();
    // A reset: after an ordinary end the system would keep all that it has for him, for as long as he takes a byte now and then.
    if (socket.remoteAddress === undefined) socket.destroy();
    else socket.resetAndDestroy();
  }
}

/**
 * Bytes that the client's side of the connection has taken, and that wait here. Node counts a write as done only when the last of its
 * bytes has gone, which may be megabytes later; so its handle is asked how much of the write is left.
 */
function progressOf(socket: Socket): { readonly taken: number; readonly waiting: number } {
  const { bytesWritten = 0, writeQueueSize = 0 } = handleOf(socket);
  return { taken: bytesWritten - writeQueueSize, waiting: writeQueueSize + socket.writableLength };
}
