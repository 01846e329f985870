/** Sequential writes to a new file, through one buffer. */
import { closeSync, openSync, writeSync } from 'node:fs';
import { flushSync } from '../../core/durable-files.ts';

const BUFFER_BYTES = 256 * 1024;

export class Appender {
  #fd: number | undefined;
  #buffer = Buffer.alloc(BUFFER_BYTES);
  #buffered = 0;
  #written = 0;

  constructor(path: string) {
    this.#fd = openSync(path, 'w');
  }

  get position(): number {
    return this.#written + this.#buffered;
  }

  append(bytes: Buffer): void {
    bytes.copy(this.reserve(bytes.length));
  }

  /** Appends bytes that the caller fills in, before anything else is appended. @returns where they go */
  reserve(bytes: number): Buffer {
    if (this.#buffered + bytes > this.#buffer.length) this.#flush();
    if (bytes > this.#buffer.length) this.#buffer = Buffer.alloc(bytes * 2);
    this.#buffered += bytes;
    return this.#buffer.subarray(this.#buffered - bytes, this.#buffered);
  }

  /** Writes what is still in the buffer, and closes the file, if that is not done yet. */
  finish(isDurable = true): void {
    const fd = this.#fd;
    if (fd === undefined) return;
    this.#flush();
    if (isDurable) flushSync(fd);
    this.abandon();
  }

  /** Closes the file as it is. */
  abandon(): void {
    const fd = this.#fd;
    if (fd === undefined) return;
    this.#fd = undefined;
    closeSync(fd);
  }

  #flush(): void {
    const fd = this.#fd;
    if (fd === undefined) throw new Error('written to after it was closed');
    for (let at = 0; at < this.#buffered; ) at += writeSync(fd, this.#buffer, at, this.#buffered - at);
    this.#written += this.#buffered;
    this.#buffered = 0;
  }
}
