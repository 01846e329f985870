/** When the next update is due, as arithmetic on moments: milliseconds of a clock that only goes on. */

export interface Pace {
  /** So long must nothing have changed. */
  readonly settleMs: number;
  /** So long after the first change nothing is waited for any more. */
  readonly maxWaitMs: number;
  /** From one look at everything to the next. */
  readonly fullEveryMs: number;
  /** The same, where nobody tells of changes. */
  readonly everyMs: number;
}

/** `told`: of what has changed; `full`: everything is looked at. */
export type Due = 'told' | 'full';

/** `again`: what it had to leave out may be there next time. */
export type Outcome = 'done' | 'again' | 'failed';

/** After a failure, doubled with each further one. */
const FIRST_PAUSE_MS = 60_000;
const LONGEST_PAUSE_MS = 3_600_000;
/** Signs of a sync that is under way are looked for again after so long at least. */
const LOOK_AGAIN_MS = 1000;

export class Schedule {
  readonly #pace: Pace;
  /** Set while everything has to be looked at: at the start, after doubts, after failures. */
  #fullSince: number | undefined;
  #changedSince: number | undefined;
  #lastChange = Number.NEGATIVE_INFINITY;
  #blockedUntil = Number.NEGATIVE_INFINITY;
  #fullAt = Number.POSITIVE_INFINITY;
  #failures = 0;
  #isAsked = false;

  constructor(pace: Pace, now: number) {
    this.#pace = pace;
    this.#fullSince = now;
  }

  /** Somebody wants everything looked at, now. */
  ask(): void {
    this.#isAsked = true;
  }

  changed(now: number): void {
    this.#changedSince ??= now;
    this.#lastChange = now;
  }

  /** What has changed is not known any more. */
  doubt(now: number): void {
    this.#fullSince ??= now;
  }

  /** A sync is under way. */
  hold(now: number): void {
    this.#lastChange = Math.max(now, now + LOOK_AGAIN_MS - this.#pace.settleMs);
  }

  /** Nothing can be done before so long, whoever asks. */
  block(now: number, ms: number): void {
    this.#isAsked = false;
    this.#blockedUntil = now + ms;
  }

  /** @returns undefined as long as nothing is due */
  due(now: number): Due | undefined {
    if (this.#isAsked) return 'full';
    if (now < this.next(now)) return undefined;
    return this.#fullSince !== undefined || now >= this.#fullAt ? 'full' : 'told';
  }

  /** What is due has waited long enough, whatever is under way. */
  isOverdue(now: number): boolean {
    return this.#isAsked || now >= this.#first + this.#pace.maxWaitMs;
  }

  /** The first moment from now on at which anything may be due. */
  next(now: number): number {
    if (this.#isAsked) return now;
    const first = this.#first;
    const ready = Math.min(this.#lastChange + this.#pace.settleMs, first + this.#pace.maxWaitMs);
    return Math.max(this.#blockedUntil, first, ready);
  }

  /** Since when something waits to be done; when everything is to be looked at next, where nothing does. */
  get #first(): number {
    return Math.min(this.#changedSince ?? Number.POSITIVE_INFINITY, this.#fullSince ?? Number.POSITIVE_INFINITY, this.#fullAt);
  }

  /** @param isDeaf nobody tells of changes until the next look at everything */
  began(now: number, due: Due, isDeaf: boolean): void {
    this.#changedSince = undefined;
    if (due === 'told') return;
    this.#isAsked = false;
    this.#fullSince = undefined;
    this.#fullAt = now + (isDeaf ? this.#pace.everyMs : this.#pace.fullEveryMs);
  }

  /** @returns after how long it is tried again, if that is why anything is done next */
  ended(now: number, due: Due, outcome: Outcome): number | undefined {
    if (outcome === 'done') {
      if (due === 'full') this.#failures = 0;
      return undefined;
    }
    const pause = Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** this.#failures++);
    if (outcome === 'failed') {
      this.doubt(now);
      this.#blockedUntil = now + pause;
    } else {
      this.#fullAt = Math.min(this.#fullAt, now + pause);
    }
    return pause;
  }
}
