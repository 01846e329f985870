/** Where the lines of the access log go: to a file, which is opened again when it was rotated, or to stdout. */
import { closeSync, openSync, writeSync } from 'node:fs';
import { displayPath } from '../../core/display.ts';
import { reasonOf, ShardctlError } from '../../core/errors.ts';
import { toBytes } from '../../core/path-bytes.ts';
import { endsTorn } from '../reporter/log-file.ts';
import type { Output } from '../reporter/output.ts';

/** Lines are written together, at the latest after this long. */
const WAIT_MS = 250;
const MOST_TOGETHER = 64 * 1024;
/** Characters that may wait for a reader of stdout that has stalled; more are dropped, because nobody's request should wait for a log. */
const MOST_WAITING = 1024 * 1024;

export interface AccessLogFileOptions {
  /** Absolute; undefined is stdout. */
  readonly path: string | undefined;
  readonly output: Output;
  readonly onTrouble: (message: string) => void;
}

export class AccessLogFile {
  readonly #options: AccessLogFileOptions;
  #fd: number | undefined;
  #lines: string[] = [];
  #length = 0;
  #timer: NodeJS.Timeout | undefined;
  #isWriting = false;
  /** The file ends within a line. */
  #isTorn = false;

  /** @throws ShardctlError `IO` when the file cannot be opened */
  constructor(options: AccessLogFileOptions) {
    this.#options = options;
    this.reopen();
  }

  readonly write = (line: string): void => {
    if (this.#length > MOST_WAITING) return;
    this.#lines.push(line);
    this.#length += line.length + 1;
    if (this.#length >= MOST_TOGETHER) this.#flush();
    else this.#timer ??= setTimeout(() => this.#flush(), WAIT_MS).unref();
  };

  /** After the file was moved away: what follows goes into a new one. */
  reopen(): void {
    const { path } = this.#options;
    if (path === undefined) return;
    try {
      const fd = openSync(path, 'a', 0o640);
      this.#flush();
      if (this.#fd !== undefined) closeSync(this.#fd);
      this.#fd = fd;
      this.#isTorn = endsTorn(path);
    } catch (error) {
      throw new ShardctlError('IO', `cannot write the access log ${displayPath(toBytes(path))}: ${reasonOf(error)}`, { cause: error });
    }
  }

  close(): void {
    this.#flush();
    if (this.#fd !== undefined) closeSync(this.#fd);
    this.#fd = undefined;
  }

  #flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#lines.length === 0 || this.#isWriting) return;
    const bytes = Buffer.from(`${this.#lines.join('\n')}\n`);
    this.#lines = [];
    this.#length = 0;
    if (this.#options.path === undefined) void this.#print(bytes);
    else if (this.#fd !== undefined) this.#append(this.#fd, bytes);
  }

  async #print(bytes: Buffer): Promise<void> {
    this.#isWriting = true;
    await this.#options.output.bytes(bytes);
    this.#isWriting = false;
    this.#flush();
  }

  /** In one call, so that the lines of several processes do not mix. */
  #append(fd: number, lines: Buffer): void {
    try {
      const bytes = this.#isTorn ? Buffer.concat([Buffer.from('\n'), lines]) : lines;
      const written = writeSync(fd, bytes);
      this.#isTorn = written < bytes.length;
      if (this.#isTorn) writeSync(fd, bytes, written);
      this.#isTorn = false;
    } catch (error) {
      this.#options.onTrouble(`cannot write the access log: ${reasonOf(error)}`);
    }
  }
}
