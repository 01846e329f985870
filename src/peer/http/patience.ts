/**
 * How long an answer may take to come in. Silence has its own limit; a server that gives a byte now and then is never silent, and
 * would hold a run up for ever. Only the time that the server is waited for counts, not what the reader does between two pieces.
 */

/** Of an answer that is held whole; as slow as an old modem. */
const WHOLE_BYTES_PER_SECOND = 4096;
/** Of a stream, over its window. A gateway that fetches small blocks from others, one by one, is faster. */
const STREAM_BYTES_PER_SECOND = 100;
/** The shortest time after which either is judged. */
const LEAST_WHOLE_MS = 15_000;
const LEAST_WINDOW_MS = 30_000;

/** An answer that comes in, and too slowly. It says as little of the server as silence. */
export class Drip extends Error {
  readonly code = 'DRIP';
}

/** What an answer may be: held whole, and so limited in all, or a stream that may go on for as long as it flows. */
export type AnswerKind = 'whole' | 'stream';

export class Patience {
  readonly #kind: AnswerKind;
  readonly #limitMs: number;
  #waitedMs = 0;
  #bytes = 0;

  /** @param idleMs that the server may be silent; 0 is for ever, and then it may be as slow as it likes */
  constructor(kind: AnswerKind, idleMs: number) {
    this.#kind = kind;
    if (idleMs === 0) this.#limitMs = Number.POSITIVE_INFINITY;
    else this.#limitMs = kind === 'whole' ? Math.max(2 * idleMs, LEAST_WHOLE_MS) : Math.max(idleMs, LEAST_WINDOW_MS);
  }

  /** Takes note of a piece. @param waitedMs for it @throws Drip */
  took(bytes: number, waitedMs: number): void {
    this.#bytes += bytes;
    this.#waitedMs += waitedMs;
    if (this.#waitedMs <= this.#limitMs) return;
    if (this.#kind === 'whole') {
      if (this.#waitedMs > this.#limitMs + (this.#bytes / WHOLE_BYTES_PER_SECOND) * 1000) throw this.#drip();
      return;
    }
    if (this.#bytes < (this.#waitedMs / 1000) * STREAM_BYTES_PER_SECOND) throw this.#drip();
    this.#bytes = 0;
    this.#waitedMs = 0;
  }

  #drip(): Drip {
    return new Drip(`its answer drips: ${this.#bytes} bytes in ${Math.round(this.#waitedMs / 1000)} s`);
  }
}
