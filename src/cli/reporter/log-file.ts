/**
 * The file of `--log-file`: lines are appended, each in one call, so that those of several runs do not mix. A file that logrotate has moved
 * away is left for a new one. No run ends because of its log: what does not fit on a full disk is left out, and that is told once.
 */
import { closeSync, constants, fstatSync, openSync, readSync, statSync, writeSync } from 'node:fs';
import { displayPath } from '../../core/display.ts';
import { errnoOf, reasonOf, ShardctlError } from '../../core/errors.ts';
import { toBytes } from '../../core/path-bytes.ts';

/** Whether the file was moved away is looked at so often. */
const LOOK_MS = 1000;

/** Without a pause: a FIFO that nobody reads is no reason to wait for ever. */
const FLAGS = constants.O_WRONLY | constants.O_APPEND | constants.O_CREAT | constants.O_NOCTTY | constants.O_NONBLOCK;

/** Of these the reason is the command line; of all others, such as a full disk, the machine, which the work should not wait for. */
const MISTAKES = new Set(['ENOENT', 'ENOTDIR', 'EISDIR', 'EACCES', 'EPERM', 'ELOOP', 'ENAMETOOLONG']);

const NEWLINE = 0x0a;

export interface LogFileOptions {
  /** Absolute. */
  readonly path: string;
  /** There was such a file before: that there can be none now is no mistake. */
  readonly mayBeGone: boolean;
  readonly now: () => number;
  /** Told once, of the first line that is not written. */
  readonly onTrouble: (message: string) => void;
}

export class LogFile {
  readonly #options: LogFileOptions;
  #fd: number | undefined;
  #lookedAt = Number.NEGATIVE_INFINITY;
  /** The last line was written in part, by this run or before it. */
  #isTorn = false;
  #isTroubled = false;

  /** @throws ShardctlError `USAGE` when there can be no such file */
  constructor(options: LogFileOptions) {
    this.#options = options;
    try {
      this.#open();
    } catch (error) {
      if (options.mayBeGone || !MISTAKES.has(errnoOf(error) ?? '')) return;
      throw new ShardctlError('USAGE', `--log-file ${this.#shown}: ${reasonOf(error)}`, {
        hint: 'name a file in a directory that is there, which this user may write to',
        cause: error,
      });
    }
  }

  /** @param line without its end */
  readonly write = (line: string): void => {
    try {
      this.#follow();
      const bytes = Buffer.from(`${this.#isTorn ? '\n' : ''}${line}\n`);
      const written = writeSync(this.#fd as number, bytes);
      this.#isTorn = written < bytes.length;
      if (this.#isTorn) writeSync(this.#fd as number, bytes, written);
      this.#isTorn = false;
    } catch (error) {
      if (this.#isTroubled) return;
      this.#isTroubled = true;
      this.#options.onTrouble(`cannot write the log ${this.#shown}: ${reasonOf(error)}; the run goes on without it`);
    }
  };

  /** Opens the file when it is not open, or when another one has its name now. */
  #follow(): void {
    const moment = this.#options.now();
    if (this.#fd !== undefined && moment - this.#lookedAt < LOOK_MS) return;
    this.#lookedAt = moment;
    if (this.#fd !== undefined) {
      const own = fstatSync(this.#fd);
      const named = statSync(this.#options.path, { throwIfNoEntry: false });
      if (named?.ino === own.ino && named.dev === own.dev) return;
    }
    this.#open();
  }

  #open(): void {
    const fd = openSync(this.#options.path, FLAGS, 0o600);
    if (this.#fd !== undefined) closeSync(this.#fd);
    this.#fd = fd;
    this.#isTorn = endsTorn(this.#options.path);
  }

  get #shown(): string {
    return displayPath(toBytes(this.#options.path));
  }
}

/** Whether a file ends within a line, as one does whose disk was full: what is appended would become a part of that line. */
export function endsTorn(path: string): boolean {
  try {
    const there = statSync(path);
    if (!there.isFile() || there.size === 0) return false;
    const fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
    try {
      const last = Buffer.alloc(1);
      return readSync(fd, last, 0, 1, there.size - 1) === 1 && last[0] !== NEWLINE;
    } finally {
      closeSync(fd);
    }
  } catch {
    // It can be written to, and not read.
    return false;
  }
}
