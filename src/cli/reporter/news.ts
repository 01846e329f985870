/**
 * What of a run's events is news. That a peer is away is in every run of cron until it is back: the first run that says so is enough, and
 * what else has this for its cause says nothing new either.
 */
import type { Event } from '../../core/events.ts';

export class News {
  readonly #told = new Set<string>();
  readonly #known = new Set<string>();

  /** Asked about each event once, in their order. */
  has(event: Event): boolean {
    const cause = event.type === 'warning' ? event.cause : event.type === 'no-answer' ? event.detail : undefined;
    if (cause === undefined || this.#told.has(cause)) return true;
    if ('known' in event) this.#known.add(cause);
    if (this.#known.has(cause)) return false;
    this.#told.add(cause);
    return true;
  }
}
