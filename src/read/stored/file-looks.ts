/**
 * Whether an open file has changed, by its size, ctime and mtime: any write sets the ctime, which nobody can set back. Asked for each block
 * that is not hashed again, so without what Node makes of it: 0.4 µs instead of 0.9.
 */
import { fstatSync } from 'node:fs';
import { type LookCalls, lookCalls, STATX_BYTES } from '../../core/libc.ts';

/** Where they stand in `struct statx`, in 32-bit words: the size, ctime and mtime; see statx(2). It is the same on every architecture. */
const WORDS = [10, 11, 24, 25, 26, 28, 29, 30] as const;
/** The seconds and the nanoseconds of the ctime, in words of 64 and of 32 bits. */
const CTIME_SECONDS = 12;
const CTIME_NANOSECONDS = 26;

const statx = new Uint8Array(STATX_BYTES);
const words = new Uint32Array(statx.buffer);
const longWords = new BigInt64Array(statx.buffer);

let calls: LookCalls | undefined;
let isLoaded = false;

export class FileLooks {
  readonly #fd: number;
  readonly #seen = new Float64Array(WORDS.length);
  #changedAt: number | undefined;

  constructor(fd: number) {
    this.#fd = fd;
  }

  /** When the file had changed last at the last look, in milliseconds since 1970. Undefined where that could not be told, as when a share has gone. */
  get changedAt(): number | undefined {
    return this.#changedAt;
  }

  /** Looks again. @returns whether the file looks as it did at the last look */
  look(): boolean {
    if (!isLoaded) calls = lookCalls();
    isLoaded = true;
    return calls === undefined ? this.#lookByNode() : this.#lookBy(calls);
  }

  #lookBy({ look }: LookCalls): boolean {
    if (look(this.#fd, statx) !== 0) return this.#forget();
    let isSame = this.#changedAt !== undefined;
    for (let at = 0; at < WORDS.length; at++) {
      const word = words[WORDS[at] as number] as number;
      if (this.#seen[at] === word) continue;
      this.#seen[at] = word;
      isSame = false;
    }
    if (!isSame) this.#changedAt = Number(longWords[CTIME_SECONDS]) * 1000 + (words[CTIME_NANOSECONDS] as number) / 1e6;
    return isSame;
  }

  #lookByNode(): boolean {
    try {
      const { size, ctimeMs, mtimeMs } = fstatSync(this.#fd);
      const [seenSize, seenMtime] = this.#seen;
      const isSame = this.#changedAt === ctimeMs && seenMtime === mtimeMs && seenSize === size;
      this.#seen[0] = size;
      this.#seen[1] = mtimeMs;
      this.#changedAt = ctimeMs;
      return isSame;
    } catch {
      return this.#forget();
    }
  }

  #forget(): false {
    this.#changedAt = undefined;
    return false;
  }
}
