/**
 * How long a silent peer is waited for. A machine that is restarted, or a disk that is moved, comes back with all that it holds: to
 * make its replicas anew meanwhile would copy terabytes, which are surplus an hour later.
 */
import { noteSilences, silencesIn } from '../home/runs/silences.ts';

export interface GraceSettings {
  /** Milliseconds; 0 waits for nobody. */
  readonly ms: number;
  /** Directory in which the home notes since when peers are silent. */
  readonly runs: string;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  /** A dry run notes nothing. */
  readonly dryRun?: boolean;
}

/** Nothing is noted before `note`. */
export class Grace {
  readonly #settings: GraceSettings;
  readonly #now: number;
  #since: ReadonlyMap<string, number> = new Map();

  constructor(settings: GraceSettings) {
    this.#settings = settings;
    this.#now = settings.now();
  }

  /** Called by whoever has asked every peer. @param silent names of those that have not answered */
  note(asked: Iterable<string>, silent: ReadonlySet<string>): void {
    const { runs, dryRun } = this.#settings;
    this.#since = dryRun === true ? silencesIn(runs) : noteSilences(runs, asked, silent, this.#now);
  }

  /** Whether there is a peer that is waited for, by the last note. */
  get isWaiting(): boolean {
    return [...this.#since.keys()].some((peer) => this.until(peer) !== undefined);
  }

  /** Until when a silent peer is waited for, in milliseconds since 1970; undefined when that time is over. One that was not silent before is so from now on. */
  until(peer: string): number | undefined {
    const until = (this.#since.get(peer) ?? this.#now) + this.#settings.ms;
    return until > this.#now ? until : undefined;
  }
}
