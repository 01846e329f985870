/**
 * What the peers say of their space: asked at the start of a run, after each shard that a peer took, and when it is old, as others fill
 * the peers too.
 */
import { ShardctlError } from '../../core/errors.ts';
import type { Emit } from '../../core/events.ts';
import type { Metric } from '../../core/model.ts';
import { endsWithin } from '../../core/waiting.ts';
import type { Peer } from '../../peer/peer.ts';

/** Metrics that are older are asked for again before the next shard is allocated. */
const REFRESH_MS = 10_000;
/** A daemon that only wakes up answers within that; the HTTP client gives up on one that is frozen after a minute. */
const START_MS = 5_000;
/** So long a peer that is asked for its metric may hold a shard back; a later answer counts for the next one. */
const PATIENCE_MS = 500;
/** A metric from longer ago says nothing about now. */
const STALE_MS = 10 * 60_000;

export interface PeerMetricsOptions {
  readonly peers: ReadonlyMap<string, Peer>;
  readonly emit: Emit;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  /** So long a peer that does not answer may hold up the start of a run when enough others have answered. [5 s] */
  readonly startMs?: number;
}

/** A peer that did not answer at the start of a run, and why. */
export interface Unanswered {
  readonly peer: string;
  readonly error: ShardctlError;
}

export class PeerMetrics {
  readonly #options: PeerMetricsOptions;
  readonly #onMetric: (peer: string, metric: Metric) => void;
  /** The last of each peer that has answered and is not excluded. */
  readonly #last = new Map<string, Metric>();
  /** Peers that did not answer when they were asked last; they are asked again with every refresh. */
  readonly #silent = new Set<string>();
  /** Why they did not, as their errors say it. */
  readonly #reasons = new Map<string, string>();
  readonly #excluded = new Set<string>();
  #refreshedAt: number;
  #refreshing: Promise<void> | undefined;

  /** @param onMetric called with each new metric, not with one that comes late and is older than the last */
  constructor(options: PeerMetricsOptions, onMetric: (peer: string, metric: Metric) => void) {
    this.#options = options;
    this.#onMetric = onMetric;
    this.#refreshedAt = options.now();
  }

  /** Peers that answered when they were asked last, and their metrics: in the order of the settings, whoever answered first. */
  answering(): [peer: Peer, metric: Metric][] {
    return [...this.#options.peers.values()].flatMap((peer): [Peer, Metric][] => {
      const metric = this.#silent.has(peer.name) ? undefined : this.#last.get(peer.name);
      return metric === undefined ? [] : [[peer, metric]];
    });
  }

  /** Peers that did not answer when they were asked last, and why. */
  silent(): ReadonlyMap<string, string> {
    const names = [...this.#options.peers.keys()].filter((name) => this.#silent.has(name));
    return new Map(names.map((name) => [name, this.#reasons.get(name) ?? `${name} does not answer`]));
  }

  get excluded(): ReadonlySet<string> {
    return this.#excluded;
  }

  /** Why peers cannot be used, for messages. */
  unusable(): ReadonlyMap<string, string> {
    const because = (why: string) => (name: string) => [name, why] as const;
    return new Map([...[...this.#silent].map(because('does not answer')), ...[...this.#excluded].map(because('failed'))]);
  }

  /** Leaves the peer out from now on. @returns false when that was so already */
  exclude(name: string): boolean {
    if (this.#excluded.has(name)) return false;
    this.#excluded.add(name);
    this.#last.delete(name);
    this.#silent.delete(name);
    return true;
  }

  /**
   * Asks the peers for the first time, all at once. Who takes long is waited for until `least` others have answered, and is used as soon
   * as it answers after all.
   * @returns those that did not answer
   */
  async askFirst(takers: readonly Peer[], least: number): Promise<Unanswered[]> {
    const { startMs = START_MS } = this.#options;
    const failures: Unanswered[] = [];
    const waiting = new Map(takers.map((peer) => [peer, this.#ask(peer).then((failure) => ({ peer, failure }))]));
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<'late'>((resolve) => {
      timer = setTimeout(() => resolve('late'), startMs);
    });
    for (let isLate = false; waiting.size > 0 && !(isLate && this.answering().length >= least); ) {
      const next = await Promise.race([...waiting.values(), ...(isLate ? [] : [late])]);
      if (next === 'late') {
        isLate = true;
      } else {
        waiting.delete(next.peer);
        if (next.failure !== undefined) failures.push(next.failure);
      }
    }
    clearTimeout(timer);
    for (const { name } of waiting.keys()) {
      this.#silent.add(name);
      failures.push({ peer: name, error: new ShardctlError('TOO_FEW_PEERS', `it has not answered for ${startMs / 1000} s`) });
    }
    for (const { name } of takers) this.#tell(name);
    // In the order of the settings, whoever failed first: two repositories that meet the same trouble say it in the same words, and cron's
    // mail has it once.
    return takers.flatMap(({ name }) => failures.filter(({ peer }) => peer === name));
  }

  /** Asks one peer again; waits for its answer, but not for long. */
  async ask(peer: Peer): Promise<void> {
    await endsWithin(
      PATIENCE_MS,
      this.#ask(peer).then(() => this.#tell(peer.name)),
    );
  }

  /** Asks all peers again when their metrics are old, and waits for the answers, but not for long. Those that were silent may be back. */
  async refresh(): Promise<void> {
    const { now, peers } = this.#options;
    if (now() - this.#refreshedAt >= REFRESH_MS && this.#refreshing === undefined) {
      const known = [...peers.values()].filter(({ name }) => this.#last.has(name) || this.#silent.has(name));
      this.#refreshing = Promise.all(known.map((peer) => this.#ask(peer))).then(() => {
        this.#refreshedAt = now();
        this.#refreshing = undefined;
        for (const { name } of known) this.#tell(name);
      });
    }
    if (this.#refreshing !== undefined) await endsWithin(PATIENCE_MS, this.#refreshing);
  }

  async #ask(peer: Peer): Promise<Unanswered | undefined> {
    const { name } = peer;
    try {
      const metric = validMetric(peer, await peer.metric(), this.#options.now());
      this.#silent.delete(name);
      if (!this.#excluded.has(name)) this.#hear(name, metric);
      return undefined;
    } catch (error) {
      if (!(error instanceof ShardctlError)) throw error;
      if (!this.#excluded.has(name)) this.#silent.add(name);
      this.#reasons.set(name, error.message);
      return { peer: name, error };
    }
  }

  #hear(name: string, metric: Metric): void {
    const last = this.#last.get(name);
    // Answers may overtake one another, and a peer may give the same old one twice.
    if (last !== undefined && metric.at < last.at) return;
    this.#last.set(name, metric);
    this.#onMetric(name, metric);
  }

  #tell(name: string): void {
    const metric = this.#last.get(name);
    if (metric !== undefined && !this.#silent.has(name))
      this.#options.emit({ type: 'peer', name, freeBytes: metric.freeBytes, usedBytes: metric.usedBytes });
  }
}

/** A figure that cannot be is no figure. @throws ShardctlError `TOO_FEW_PEERS`: nobody knows what fits there */
function validMetric(peer: Peer, { freeBytes, usedBytes, at }: Metric, now: number): Metric {
  if (!Number.isFinite(freeBytes) || freeBytes > Number.MAX_SAFE_INTEGER) {
    throw new ShardctlError('TOO_FEW_PEERS', `peer "${peer.name}" says that ${freeBytes} bytes are free, which cannot be`, {
      hint: 'give it a --capacity with `shardctl peers set`',
    });
  }
  if (now - at > STALE_MS) {
    throw new ShardctlError(
      'TOO_FEW_PEERS',
      `peer "${peer.name}" has not said for ${Math.round((now - at) / 60_000)} minutes what is free on it`,
    );
  }
  // Less than nothing is what a peer says that holds more than it should. A clock that is ahead must not cover what comes later.
  return { freeBytes: Math.max(0, freeBytes), usedBytes, at: Number.isFinite(at) ? Math.min(at, now) : now };
}
