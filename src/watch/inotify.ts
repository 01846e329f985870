/** An instance of inotify: the watches of one source, and the events of its queue. */
import { closeSync } from 'node:fs';
import type { InotifyCalls } from '../core/inotify-calls.ts';
import type { ByteString } from '../core/model.ts';

/** Bits of an event, see inotify(7). */
export const IN = {
  modify: 0x2,
  attrib: 0x4,
  closeWrite: 0x8,
  movedFrom: 0x40,
  movedTo: 0x80,
  create: 0x100,
  delete: 0x200,
  deleteSelf: 0x400,
  moveSelf: 0x800,
  unmount: 0x2000,
  overflow: 0x4000,
  ignored: 0x8000,
  onlyDirectory: 0x0100_0000,
  /** No events of what has no name in the directory any more. */
  exclUnlink: 0x0400_0000,
  isDirectory: 0x4000_0000,
} as const;

export interface InotifyEvent {
  /** The number of the watch; −1 for an overflow of the queue. */
  readonly watch: number;
  /** Bits of `IN`. */
  readonly mask: number;
  /** Of the entry; empty where the event is about the watched directory itself. */
  readonly name: ByteString;
}

/** The seam to the kernel: what a watched tree asks of an instance. */
export interface Watches {
  /** Watches a directory. @returns the number of its watch, or −errno */
  add(path: ByteString, mask: number): number;
  /** The events that are queued for it already still come, and then one with `ignored`. */
  remove(watch: number): void;
}

/** In `struct inotify_event`: the watch, the mask, a cookie, the bytes of the name with the zeros behind it, the name. */
const MASK_AT = 4;
const LENGTH_AT = 12;
const NAME_AT = 16;
/** Has room for at least 240 events. */
const BUFFER_BYTES = 64 * 1024;

export class Inotify implements Watches {
  readonly descriptor: number;
  readonly #calls: InotifyCalls;
  readonly #buffer = Buffer.alloc(BUFFER_BYTES);
  #isClosed = false;

  private constructor(calls: InotifyCalls, descriptor: number) {
    this.#calls = calls;
    this.descriptor = descriptor;
  }

  /** @returns −errno when there may be no further instance */
  static open(calls: InotifyCalls): Inotify | number {
    const descriptor = calls.open();
    return descriptor < 0 ? descriptor : new Inotify(calls, descriptor);
  }

  add(path: ByteString, mask: number): number {
    return this.#calls.add(this.descriptor, Buffer.from(`${path}\0`, 'latin1'), mask);
  }

  remove(watch: number): void {
    this.#calls.remove(this.descriptor, watch);
  }

  /** The events that are there, in their order; none when the queue is empty. At most as many as one read gives. */
  read(): InotifyEvent[] {
    const events: InotifyEvent[] = [];
    const bytes = this.#isClosed ? 0 : this.#calls.read(this.descriptor, this.#buffer);
    for (let at = 0; at < bytes; ) {
      const end = at + NAME_AT + this.#buffer.readUInt32LE(at + LENGTH_AT);
      const name = this.#buffer.toString('latin1', at + NAME_AT, end);
      const zero = name.indexOf('\0');
      events.push({
        watch: this.#buffer.readInt32LE(at),
        mask: this.#buffer.readUInt32LE(at + MASK_AT),
        name: zero < 0 ? name : name.slice(0, zero),
      });
      at = end;
    }
    return events;
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    closeSync(this.descriptor);
  }
}
