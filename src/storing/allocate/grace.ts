/**
 * How long a silent peer is waited for, and whether its silence is news. A machine that is restarted, or a disk that is moved, comes back
 * with all that it holds: to make its replicas anew meanwhile would copy terabytes, which are surplus an hour later.
 */
import type { Emit } from '../../core/events.ts';
import { type Heard, keepSilences, returnsAfter, type Silence, silencesAfter, silencesIn } from '../../home/runs/silences.ts';
import type { Peer } from '../../peer/peer.ts';
import { allocatorsOf, isAllowed } from './allocators.ts';

export interface GraceSettings {
  /** Milliseconds; 0 waits for nobody. */
  readonly ms: number;
  /** Directory in which the home notes since when peers are silent. */
  readonly runs: string;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  /** Is told of each peer that answers again, once, when a run has told of its silence. */
  readonly emit: Emit;
  /** A dry run notes nothing. */
  readonly dryRun?: boolean;
}

/** How many peers could have a shard. */
export interface Reachable {
  /** Fewest replicas that are asked for. */
  readonly least: number;
  /** Peers that answer, those that have the shard among them. */
  readonly answering: number;
  /** Peers that are waited for, and may be given it when they are back or have it already. */
  readonly waited: number;
}

/** As many replicas as can be asked for now: all, unless only peers that are waited for keep them from being made; at least one. */
export function leastNow({ least, answering, waited }: Reachable): number {
  return answering >= least || answering + waited < least ? least : Math.max(1, answering);
}

/** The peers of a run, and what it knows of them. */
export interface Known {
  readonly peers: ReadonlyMap<string, Pick<Peer, 'name' | 'drained'>>;
  readonly silent: Pick<ReadonlySet<string>, 'has'>;
  readonly grace?: Pick<Grace, 'until'> | undefined;
}

/** What is asked for a shard, and who has it. */
export interface Stand {
  readonly least: number;
  /** Names of allocators. */
  readonly allocateBy: readonly string[];
  /** Peers that answer and have it. */
  readonly holders: readonly string[];
  /** Peers that do not answer and should have it. */
  readonly silentHolders: readonly string[];
}

/** How many more replicas a shard must have now. A replica on a peer that is waited for counts as there. */
export function lacking({ peers, silent, grace }: Known, { least, allocateBy, holders, silentHolders }: Stand): number {
  const isWaited = (name: string) => silent.has(name) && grace?.until(name) !== undefined;
  const there = holders.length + silentHolders.filter(isWaited).length;
  if (there >= least) return 0;
  const allocators = allocatorsOf(allocateBy);
  const takers = [...peers.values()].filter(({ name, drained }) => drained !== true && isAllowed(allocators, name)).map(({ name }) => name);
  const answering = new Set([...holders, ...takers.filter((name) => !silent.has(name))]).size;
  const waited = new Set([...silentHolders, ...takers].filter(isWaited)).size;
  return holders.length >= leastNow({ least, answering, waited }) ? 0 : least - there;
}

/** Nothing is noted before `note`. */
export class Grace {
  readonly #settings: GraceSettings;
  readonly #now: number;
  /** What earlier runs have noted. */
  #before: ReadonlyMap<string, Silence> | undefined;
  #silences: ReadonlyMap<string, Silence> = new Map();
  /** Since when each peer had been silent whose return this run tells of. */
  readonly #returned = new Map<string, number>();

  constructor(settings: GraceSettings) {
    this.#settings = settings;
    this.#now = settings.now();
  }

  /** Called by whoever has asked the peers. */
  note(heard: Heard): void {
    const { runs, dryRun, emit } = this.#settings;
    const noted = silencesIn(runs);
    this.#before ??= noted;
    this.#silences = silencesAfter(noted, heard, this.#now, (since) => this.#endOf(since) === undefined);
    if (dryRun === true) return;
    const returned = returnsAfter(noted, heard, this.#silences);
    const silent = [...this.#silences].map(([name, { since }]) => [name, { since, isTold: isKnownIn(noted, name) }] as const);
    keepSilences(runs, noted, new Map([...silent, ...returned]));
    for (const [name, { since }] of returned) {
      if (this.#returned.has(name)) continue;
      this.#returned.set(name, since);
      emit({ type: 'back', peer: name, since: new Date(since).toISOString() });
    }
  }

  /** Called when all that the run has to tell is told: of what a run that died before had met, the next one tells. */
  saveTold(): void {
    const { runs, dryRun } = this.#settings;
    if (dryRun === true || this.#silences.size + this.#returned.size === 0) return;
    const noted = silencesIn(runs);
    const isTold = (name: string, since: number) => this.#silences.get(name)?.since === since && this.#silences.get(name)?.isTold === true;
    const after = [...noted]
      .filter(([name, { since, isBack }]) => isBack !== true || this.#returned.get(name) !== since)
      .map(([name, it]) => [name, { ...it, isTold: it.isTold || isTold(name, it.since) }] as const);
    keepSilences(runs, noted, new Map(after));
  }

  /** Whether there is a peer that is waited for, by the last note. */
  get isWaiting(): boolean {
    return [...this.#silences.keys()].some((peer) => this.until(peer) !== undefined);
  }

  /** Peers that are silent by the last note, and waited for no more; since when, in milliseconds since 1970. */
  get overdue(): readonly (readonly [peer: string, since: number])[] {
    return [...this.#silences].flatMap(([peer, { since }]) => (this.#endOf(since) === undefined ? [[peer, since] as const] : []));
  }

  /** Until when a silent peer is waited for, in milliseconds since 1970; undefined when that time is over. One that was not silent before is so from now on. */
  until(peer: string): number | undefined {
    return this.#endOf(this.#silences.get(peer)?.since ?? this.#now);
  }

  /** Whether an earlier run has told that the peer is silent. */
  isKnown(peer: string): boolean {
    return this.#before !== undefined && isKnownIn(this.#before, peer);
  }

  #endOf(since: number): number | undefined {
    const until = since + this.#settings.ms;
    return until > this.#now ? until : undefined;
  }
}

/** Whether a run has told that the peer is silent, and none has heard it since. */
function isKnownIn(noted: ReadonlyMap<string, Silence>, name: string): boolean {
  const silence = noted.get(name);
  return silence?.isTold === true && silence.isBack !== true;
}
