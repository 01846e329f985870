/**
 * How long an answer may take to come in. Silence has a limit of its own; but a server that gives a byte now and then is never silent,
 * and would hold up a run for ever. Only the time spent waiting for the server counts, not what the reader does between two pieces.
 */

/** The slowest pace of an answer that is held whole: that of an old modem. */
const WHOLE_BYTES_PER_SECOND = 4096;
/** The slowest pace of a stream, over its window. A gateway that fetches small blocks from others, one by one, is faster. */
const STREAM_BYTES_PER_SECOND = 100;
/** The shortest times after which the two kinds are judged. */
const LEAST_WHOLE_MS = 15_000;
const LEAST_WINDOW_MS = 30_000;

/** An answer that comes in too slowly. It is treated like silence. */
export class Drip extends Error {
  readonly code = 'DRIP';
}

/** `whole`: held in memory, with a limit on its time in all. `stream`: may go on for as long as it keeps its pace. */
export type AnswerKind = 'whole' | 'stream';

export class Patience {
  readonly #kind: AnswerKind;
  readonly #limitMs: number;
  #waitedMs = 0;
  #bytes = 0;

  /** @param idleMs how long the server may be silent; 0 is for ever, and then it may also be as slow as it likes */
  constructor(kind: AnswerKind, idleMs: number) {
    this.#kind = kind;
    if (idleMs === 0) this.#limitMs = Number.POSITIVE_INFINITY;
    else this.#limitMs = kind === 'whole' ? Math.max(2 * idleMs, LEAST_WHOLE_MS) : Math.max(idleMs, LEAST_WINDOW_MS);
  }

  /** Counts a piece. @param waitedMs time for which it was waited @throws Drip */
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
