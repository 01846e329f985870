/**
 * What could not be read lately, and from which peer: it is not tried again at once, and not given up for ever. A server lives for
 * months, and peers come back. At most 4,096 failures are remembered, for a minute each.
 */
import type { ShardctlError } from '../../core/errors.ts';

/** After a peer did not answer it is left alone for so long, twice as long after each further time. */
const FIRST_PAUSE_MS = 1_000;
const LONGEST_PAUSE_MS = 60_000;
const REMEMBERED_MS = 60_000;
/** Trouble that goes on is told again after so long. */
const TOLD_MS = 24 * 60 * 60 * 1000;
const MOST = 4096;

interface Silence {
  readonly error: ShardctlError;
  readonly pauseMs: number;
  /** When somebody may ask the peer again. */
  readonly until: number;
  /** Somebody asks it again at this moment. */
  readonly isTried: boolean;
}

export class Failures {
  readonly #now: () => number;
  readonly #silences = new Map<string, Silence>();
  readonly #failed = new Map<string, { readonly error: ShardctlError; readonly until: number }>();
  readonly #told = new Map<string, number>();

  /** @param now milliseconds since some moment */
  constructor(now: () => number) {
    this.#now = now;
  }

  isSilent(peer: string): boolean {
    return this.#silences.has(peer);
  }

  /**
   * Why the peer should not be asked now, if there is a reason. When its pause is over, the one who asks here first may ask the peer, and
   * the others wait for another pause: each who asks a silent peer waits for a whole time-out.
   */
  silenceOf(peer: string): ShardctlError | undefined {
    const silence = this.#silences.get(peer);
    if (silence === undefined) return undefined;
    const now = this.#now();
    if (now < silence.until) return silence.error;
    this.#silences.set(peer, { ...silence, until: now + silence.pauseMs, isTried: true });
    return undefined;
  }

  noteSilence(peer: string, error: ShardctlError): void {
    const before = this.#silences.get(peer);
    // Requests that were under way when it fell silent end one after the other: together they are one time.
    if (before?.isTried === false) return;
    const pauseMs = before === undefined ? FIRST_PAUSE_MS : Math.min(LONGEST_PAUSE_MS, before.pauseMs * 2);
    this.#silences.set(peer, { error, pauseMs, until: this.#now() + pauseMs, isTried: false });
  }

  answered(peer: string): void {
    if (this.#silences.delete(peer)) this.#told.delete(peer);
  }

  /** @param what a shard, or a block of it */
  of(peer: string, what: string): ShardctlError | undefined {
    const failure = this.#failed.get(`${peer} ${what}`);
    if (failure === undefined) return undefined;
    if (this.#now() < failure.until) return failure.error;
    this.#failed.delete(`${peer} ${what}`);
    return undefined;
  }

  note(peer: string, what: string, error: ShardctlError): void {
    remember(this.#failed, `${peer} ${what}`, { error, until: this.#now() + REMEMBERED_MS });
  }

  /** Whether this was not told yet, or long ago. */
  isNews(key: string): boolean {
    const told = this.#told.get(key);
    if (told !== undefined && this.#now() < told + TOLD_MS) return false;
    remember(this.#told, key, this.#now());
    return true;
  }
}

function remember<T>(map: Map<string, T>, key: string, value: T): void {
  map.delete(key);
  map.set(key, value);
  if (map.size <= MOST) return;
  const [oldest] = map.keys();
  if (oldest !== undefined) map.delete(oldest);
}
