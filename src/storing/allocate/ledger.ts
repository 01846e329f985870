/** What peers said they can take, and what they were promised since. */
import { createHash } from 'node:crypto';
import { ShardctlError } from '../../core/errors.ts';
import type { Emit } from '../../core/events.ts';
import { leastReplicas, type Metric, mostReplicas, type Replication } from '../../core/model.ts';
import { endsWithin } from '../../core/waiting.ts';
import type { Peer } from '../../peer/peer.ts';
import { type AllocationRequest, allocate, largestShard, shortage } from './allocate.ts';
import { type Allocator, allocatorsAmong, type Candidate, type Chosen } from './allocators.ts';
import { validMetric } from './valid-metric.ts';

/** Metrics that are older are asked for again before the next shard is allocated: others fill the peers too. */
const REFRESH_MS = 10_000;
/** A daemon that only wakes up answers within that; the HTTP client gives up on one that is frozen after a minute. */
const START_MS = 5_000;
/** So long a peer that is asked for its metric may hold a shard back; a later answer counts for the next one. */
const PATIENCE_MS = 500;

export interface LedgerOptions {
  readonly peers: ReadonlyMap<string, Peer>;
  readonly replication: Replication;
  /** Names of allocators, in the order in which they decide. */
  readonly allocateBy: readonly string[];
  readonly emit: Emit;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  /** So long one that does not answer may hold up the start of a run, when there are enough others. [5 s] */
  readonly startMs?: number;
  readonly intoReserve?: boolean;
}

/** A shard for which peers are looked for. */
export interface LedgerRequest extends Pick<AllocationRequest, 'cid' | 'bytes' | 'except'> {
  readonly replication: Replication;
  /** Names of allocators, if not the run's own. */
  readonly allocateBy?: readonly string[];
  /** Peers that have the shard already; they do not count as replicas to choose. */
  readonly holders?: readonly string[];
  /** Peers that take much longer than the others. */
  readonly lagging?: ReadonlySet<string>;
}

interface Unanswered {
  readonly peer: string;
  readonly error: ShardctlError;
}

interface Account {
  readonly peer: Peer;
  metric: Metric;
  /** Bytes under way. */
  underWay: number;
  /** What it has got, and when, that its metric does not show yet. */
  arrived: { readonly bytes: number; readonly at: number }[];
  /** Bytes given in this run. */
  given: number;
  phase: number;
}

/** Allocates from the peers that answer, and keeps the books. */
export class Ledger {
  readonly #options: LedgerOptions;
  readonly #allocators: readonly Allocator[];
  readonly #accounts = new Map<string, Account>();
  /** Peers that do not answer, and why; asked again with every refresh. */
  readonly #silent = new Map<string, string>();
  /** As the peers' errors say it. */
  readonly #reasons = new Map<string, string>();
  /** Peers that failed to take a shard: they get nothing more in this run. */
  readonly #left = new Set<string>();
  #refreshed: number;
  #refreshing: Promise<void> | undefined;
  #phased = false;

  /**
   * Asks every peer for its metric, all at once; one that does not answer is left out, with a warning.
   * @throws ShardctlError `TOO_FEW_PEERS` when fewer answer than a shard needs replicas, `BAD_CONFIG` when an allocator is
   * unknown or names a peer that is
   */
  static async open(options: LedgerOptions): Promise<Ledger> {
    const ledger = new Ledger(options);
    const takers = [...options.peers.values()].filter(({ drained }) => drained !== true);
    const least = leastReplicas(options.replication, options.peers);
    const failures = await ledger.#askFirst(takers, least);
    for (const peer of takers) ledger.#tell(peer.name);
    const answering = ledger.#answering().length;
    // Else the error names them.
    if (answering >= least) {
      for (const { peer, error } of failures) {
        const hint = error.hint === undefined ? {} : { hint: error.hint };
        const cause = ledger.silent().get(peer) ?? error.message;
        options.emit({ type: 'warning', message: `peer ${peer} is left out: ${error.message}`, cause, ...hint });
      }
      return ledger;
    }
    const drained = options.peers.size - takers.length;
    const reasons = [
      `${answering} of ${options.peers.size} peer${options.peers.size === 1 ? '' : 's'} can be used`,
      ...(drained > 0 ? [`${drained} drained`] : []),
      ...failures.map(({ error }) => error.message),
    ];
    throw new ShardctlError('TOO_FEW_PEERS', `${least} replicas are asked for, but ${reasons.join('; ')}`, {
      hint: 'add peers with `shardctl peers add`, mount or repair the missing ones, or lower --replication',
    });
  }

  /** Asks them all; whoever takes long while enough others have answered joins in when it does. @returns those that did not answer */
  async #askFirst(takers: readonly Peer[], least: number): Promise<Unanswered[]> {
    const { startMs = START_MS } = this.#options;
    const failures: Unanswered[] = [];
    const waiting = new Map(takers.map((peer) => [peer, this.#ask(peer).then((failure) => ({ peer, failure }))]));
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<'late'>((resolve) => {
      timer = setTimeout(() => resolve('late'), startMs);
    });
    for (let isLate = false; waiting.size > 0 && !(isLate && this.#answering().length >= least); ) {
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
      this.#silent.set(name, 'does not answer');
      failures.push({ peer: name, error: new ShardctlError('TOO_FEW_PEERS', `it has not answered for ${startMs / 1000} s`) });
    }
    // In the order of the settings, whoever failed first: two repositories that meet the same trouble say it in the same words, and cron's mail has it once.
    return takers.flatMap(({ name }) => failures.filter(({ peer }) => peer === name));
  }

  private constructor(options: LedgerOptions) {
    this.#options = options;
    this.#allocators = allocatorsAmong(options.peers, options.allocateBy);
    this.#refreshed = options.now();
  }

  /** Free bytes of each peer that answers, as last heard. */
  freeBytes(): Map<string, number> {
    return new Map(this.#answering().map(({ peer, metric }) => [peer.name, metric.freeBytes]));
  }

  /** Peers that did not answer when they were asked last, and why. */
  silent(): ReadonlyMap<string, string> {
    const names = [...this.#options.peers.keys()].filter((name) => this.#silent.has(name));
    return new Map(names.map((name) => [name, this.#reasons.get(name) ?? `${name} does not answer`]));
  }

  /** Names of peers that failed to take a shard. */
  failed(): ReadonlySet<string> {
    return this.#left;
  }

  /** Chooses peers for a shard and debits them. @throws ShardctlError `TOO_FEW_PEERS`, `NO_SPACE` */
  allocate({ cid, bytes, replication, allocateBy, holders = [], except, lagging }: LedgerRequest): string[] {
    this.#setPhases(cid);
    const { peers } = this.#options;
    const names = allocate({
      cid,
      bytes,
      least: leastReplicas(replication, peers),
      most: mostReplicas(replication, peers),
      candidates: this.#candidates(lagging),
      allocators: allocateBy === undefined ? this.#allocators : allocatorsAmong(peers, allocateBy),
      holders: holders.map((name): Chosen => ({ name, tags: peers.get(name)?.tags ?? {} })),
      ...(except === undefined ? {} : { except }),
      unusable: this.#unusable(),
    });
    for (const name of names) this.promise(name, bytes);
    return names;
  }

  /** Debits a peer that was chosen by other means. */
  promise(name: string, bytes: number): void {
    const account = this.#accounts.get(name);
    if (account === undefined) return;
    account.underWay += bytes;
    account.given += bytes;
  }

  /**
   * The most bytes that a shard may have to be placed now.
   * @throws ShardctlError `NO_SPACE` when that is less than `bytes`, naming what each peer has
   */
  roomFor(bytes: number, replication: Replication): number {
    const least = leastReplicas(replication, this.#options.peers);
    const request = { least, candidates: this.#candidates(), allocators: this.#allocators, unusable: this.#unusable() };
    const most = largestShard(request);
    if (most < bytes) throw shortage({ ...request, bytes });
    return most;
  }

  /** The peer has what it was promised; debited until a metric shows it. A peer that says nothing now gets nothing more. */
  async arrived(name: string, bytes: number): Promise<void> {
    const account = this.#accounts.get(name);
    if (account === undefined) return;
    account.underWay -= bytes;
    account.arrived.push({ bytes, at: this.#options.now() });
    await endsWithin(
      PATIENCE_MS,
      this.#ask(account.peer).then(() => this.#tell(name)),
    );
  }

  /** The peer does not get what it was promised. */
  release(name: string, bytes: number): void {
    const account = this.#accounts.get(name);
    if (account === undefined) return;
    account.underWay -= bytes;
    account.given -= bytes;
  }

  /** The peer failed: it gets nothing more in this run. @returns false when that was so already */
  leave(name: string): boolean {
    if (this.#left.has(name)) return false;
    this.#left.add(name);
    this.#accounts.delete(name);
    this.#silent.delete(name);
    return true;
  }

  /** Asks all peers again when their metrics are old. Those that did not answer before and do so now join in. */
  async refresh(): Promise<void> {
    const { now, peers } = this.#options;
    if (now() - this.#refreshed >= REFRESH_MS && this.#refreshing === undefined) {
      const known = [...peers.values()].filter(({ name }) => this.#accounts.has(name) || this.#silent.has(name));
      this.#refreshing = Promise.all(known.map((peer) => this.#ask(peer))).then(() => {
        this.#refreshed = now();
        this.#refreshing = undefined;
        for (const { name } of known) this.#tell(name);
      });
    }
    if (this.#refreshing !== undefined) await endsWithin(PATIENCE_MS, this.#refreshing);
  }

  async #ask(peer: Peer): Promise<Unanswered | undefined> {
    try {
      const metric = validMetric(peer, await peer.metric(), this.#options.now());
      this.#silent.delete(peer.name);
      if (!this.#left.has(peer.name)) this.#enter(peer, metric);
      return undefined;
    } catch (error) {
      if (!(error instanceof ShardctlError)) throw error;
      if (!this.#left.has(peer.name)) this.#silent.set(peer.name, 'does not answer');
      this.#reasons.set(peer.name, error.message);
      return { peer: peer.name, error };
    }
  }

  #enter(peer: Peer, metric: Metric): void {
    const account = this.#accounts.get(peer.name);
    if (account === undefined) {
      const phase = this.#phased ? 1 : 0;
      this.#accounts.set(peer.name, { peer, metric, underWay: 0, arrived: [], given: 0, phase });
      return;
    }
    // Answers may overtake one another, and a peer may give the same old one twice.
    if (metric.at < account.metric.at) return;
    account.metric = metric;
    account.arrived = account.arrived.filter(({ at }) => at > metric.at);
  }

  #tell(name: string): void {
    const metric = this.#accounts.get(name)?.metric;
    if (metric !== undefined && !this.#silent.has(name))
      this.#options.emit({ type: 'peer', name, freeBytes: metric.freeBytes, usedBytes: metric.usedBytes });
  }

  #setPhases(cid: string): void {
    if (this.#phased) return;
    this.#phased = true;
    for (const [name, account] of this.#accounts) {
      account.phase = (createHash('sha256').update(name).update('\0').update(cid).digest().readUInt32BE() + 1) / 2 ** 32;
    }
  }

  #answering(): Account[] {
    // In the order of the settings, whoever answered first.
    return [...this.#options.peers.keys()].flatMap((name) => {
      const account = this.#accounts.get(name);
      return account === undefined || this.#silent.has(name) ? [] : [account];
    });
  }

  #candidates(lagging?: ReadonlySet<string>): Candidate[] {
    return this.#answering().map(({ peer, metric, underWay, arrived, given, phase }) => ({
      name: peer.name,
      tags: peer.tags,
      freeBytes: metric.freeBytes,
      promisedBytes: arrived.reduce((sum, { bytes }) => sum + bytes, underWay),
      reserveBytes: peer.reserve ?? 0,
      intoReserve: this.#options.intoReserve === true,
      weight: peer.weight ?? 1,
      givenBytes: given,
      phase,
      lagging: lagging?.has(peer.name) === true,
    }));
  }

  #unusable(): Map<string, string> {
    return new Map([...this.#silent, ...[...this.#left].map((name): [string, string] => [name, 'failed'])]);
  }
}
