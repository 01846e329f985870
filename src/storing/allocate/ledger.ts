/**
 * The books of a run: what peers say they can take, and what they were promised since. Whoever gives a peer a shard has the ledger
 * choose it (`allocate`), or says which it is (`promise`), and says afterwards whether the shard `arrived` there or not (`release`).
 */
import { createHash } from 'node:crypto';
import { listed } from '../../core/display.ts';
import { ShardctlError } from '../../core/errors.ts';
import { peerWarning } from '../../core/events.ts';
import { leastReplicas, type Metric, mostReplicas, type Replication } from '../../core/model.ts';
import { type AllocationRequest, allocate, largestShard, shortage } from './allocate.ts';
import { type Allocator, allocatorsAmong, type Candidate, type Chosen, isAllowed } from './allocators.ts';
import { type Grace, leastNow } from './grace.ts';
import { PeerMetrics, type PeerMetricsOptions, type Unanswered } from './peer-metrics.ts';

export interface LedgerOptions extends PeerMetricsOptions {
  readonly replication: Replication;
  /** Names of allocators, in the order in which they decide. */
  readonly allocateBy: readonly string[];
  /** Is told which peers do not answer, and says whether that is news. */
  readonly grace?: Grace | undefined;
  /** New shards may do for now without replicas for which there are only peers that `grace` waits for. [no] */
  readonly mayDoWithFewer?: boolean;
  /** The peers' reserves may be used: what is given frees more than it takes. */
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

/** What one peer was given in this run. There is one for each peer that has answered. */
interface Account {
  /** Bytes of shards that are on their way to it. */
  underWay: number;
  /** What it has got since its last metric, and when. */
  arrived: { readonly bytes: number; readonly at: number }[];
  /** Bytes of all shards, whether they are there or on their way. */
  given: number;
  /** See `Candidate`. */
  phase: number;
}

export class Ledger {
  readonly #options: LedgerOptions;
  readonly #allocators: readonly Allocator[];
  readonly #doubted = new Set<string>();
  readonly #metrics: PeerMetrics;
  readonly #accounts = new Map<string, Account>();
  /** How many replicas of a shard can be made now: what is asked for, or with `mayDoWithFewer` less. */
  #least: number;
  /** The first shard was allocated, and gave each peer its phase. */
  #isPhased = false;

  /**
   * Asks every peer for its metric, all at once; one that does not answer is left out, with a warning, unless it is waited for.
   * @throws ShardctlError `TOO_FEW_PEERS` when fewer answer than a shard needs replicas, or none, `BAD_CONFIG` when an allocator is
   * unknown, or names only peers that are not set up
   */
  static async open(options: LedgerOptions): Promise<Ledger> {
    const ledger = new Ledger(options);
    const takers = [...options.peers.values()].filter(({ drained }) => drained !== true);
    const asked = ledger.#least;
    const unanswered = await ledger.#metrics.askFirst(takers, asked);
    const drained = [...options.peers.keys()].filter((name) => !takers.some((taker) => taker.name === name));
    const heard = { peers: [...options.peers.keys()], silent: new Set(unanswered.map(({ peer }) => peer)), unasked: new Set(drained) };
    options.grace?.note(heard);
    if (options.mayDoWithFewer === true) ledger.#least = ledger.#leastNow();
    const answering = ledger.#metrics.answering().length;
    if (answering < ledger.#least) throw tooFew(options, { least: asked, answering, drained: drained.length, unanswered });
    ledger.#tellOf(unanswered, asked);
    return ledger;
  }

  private constructor(options: LedgerOptions) {
    this.#options = options;
    this.#least = leastReplicas(options.replication, options.peers);
    this.#allocators = allocatorsAmong(options.peers, options.allocateBy);
    this.#metrics = new PeerMetrics(options, (name, metric) => this.#enter(name, metric));
  }

  /** What the run asks for each new shard: fewer replicas than it was told where it may do with fewer. */
  get replication(): Replication {
    return { ...this.#options.replication, min: this.#least };
  }

  /** Names of the silent peers that are waited for: what they hold counts as there. */
  waited(): ReadonlySet<string> {
    const { grace, mayDoWithFewer } = this.#options;
    if (mayDoWithFewer !== true) return new Set();
    return new Set([...this.silent().keys()].filter((name) => grace?.until(name) !== undefined));
  }

  /** Free bytes of each peer that answers, as last heard. */
  freeBytes(): Map<string, number> {
    return new Map(this.#metrics.answering().map(([{ name }, { freeBytes }]) => [name, freeBytes]));
  }

  /** Peers that did not answer when they were asked last, and why. */
  silent(): ReadonlyMap<string, string> {
    return this.#metrics.silent();
  }

  /** Names of peers that failed to take a shard, also those that were asked again and may have taken it. */
  failed(): ReadonlySet<string> {
    return new Set([...this.#metrics.excluded, ...this.#doubted]);
  }

  /** Notes that a peer did not take a shard at once. It is used on; whether it has what it took before is asked at the end of the run. */
  doubt(name: string): void {
    this.#doubted.add(name);
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
      unusable: this.#metrics.unusable(),
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
    const request = { least, candidates: this.#candidates(), allocators: this.#allocators, unusable: this.#metrics.unusable() };
    const most = largestShard(request);
    if (most < bytes) throw shortage({ ...request, bytes });
    return most;
  }

  /**
   * The peer has what it was promised; that stays debited until a metric shows it. The peer is asked at once: while it
   * does not answer, it gets nothing more.
   */
  async arrived(name: string, bytes: number): Promise<void> {
    const peer = this.#options.peers.get(name);
    const account = this.#accounts.get(name);
    if (peer === undefined || account === undefined) return;
    account.underWay -= bytes;
    account.arrived.push({ bytes, at: this.#options.now() });
    await this.#metrics.ask(peer);
  }

  /** The peer does not get what it was promised. */
  release(name: string, bytes: number): void {
    const account = this.#accounts.get(name);
    if (account === undefined) return;
    account.underWay -= bytes;
    account.given -= bytes;
  }

  /** The peer failed: it gets nothing more in this run. @returns false when that was so already */
  exclude(name: string): boolean {
    this.#accounts.delete(name);
    return this.#metrics.exclude(name);
  }

  /** Asks all peers again when their metrics are old. Those that did not answer before and do so now join in. */
  async refresh(): Promise<void> {
    await this.#metrics.refresh();
  }

  #enter(name: string, metric: Metric): void {
    const account = this.#accounts.get(name);
    if (account !== undefined) account.arrived = account.arrived.filter(({ at }) => at > metric.at);
    else this.#accounts.set(name, { underWay: 0, arrived: [], given: 0, phase: this.#isPhased ? 1 : 0 });
  }

  #leastNow(): number {
    const isMeant = (name: string) => isAllowed(this.#allocators, name);
    const answering = this.#metrics.answering().filter(([{ name }]) => isMeant(name)).length;
    return leastNow({ least: this.#least, answering, waited: [...this.waited()].filter(isMeant).length });
  }

  #tellOf(unanswered: readonly Unanswered[], asked: number): void {
    const { emit, grace, mayDoWithFewer } = this.#options;
    for (const { peer, error } of unanswered) {
      const until = mayDoWithFewer === true ? grace?.until(peer) : undefined;
      if (until !== undefined) {
        const fewer = this.#least < asked ? { replicas: { asked, made: this.#least } } : {};
        emit({ type: 'waiting', peer, until: new Date(until).toISOString(), detail: error.message, ...fewer });
        continue;
      }
      const hint = error.hint === undefined ? {} : { hint: error.hint };
      const known = grace?.isKnown(peer) === true ? { known: true as const } : {};
      const cause = this.silent().get(peer) ?? error.message;
      emit({ ...peerWarning(peer, 'is left out', error), cause, ...hint, ...known });
    }
  }

  #setPhases(cid: string): void {
    if (this.#isPhased) return;
    this.#isPhased = true;
    for (const [name, account] of this.#accounts) {
      account.phase = (createHash('sha256').update(name).update('\0').update(cid).digest().readUInt32BE() + 1) / 2 ** 32;
    }
  }

  #candidates(lagging?: ReadonlySet<string>): Candidate[] {
    return this.#metrics.answering().flatMap(([peer, metric]): Candidate[] => {
      const account = this.#accounts.get(peer.name);
      if (account === undefined) return [];
      return [
        {
          name: peer.name,
          tags: peer.tags,
          freeBytes: metric.freeBytes,
          promisedBytes: account.arrived.reduce((sum, { bytes }) => sum + bytes, account.underWay),
          reserveBytes: peer.reserve ?? 0,
          intoReserve: this.#options.intoReserve === true,
          weight: peer.weight ?? 1,
          givenBytes: account.given,
          phase: account.phase,
          lagging: lagging?.has(peer.name) === true,
        },
      ];
    });
  }
}

interface Shortfall {
  readonly least: number;
  readonly answering: number;
  readonly drained: number;
  readonly unanswered: readonly Unanswered[];
}

function tooFew({ peers }: LedgerOptions, { least, answering, drained, unanswered }: Shortfall): ShardctlError {
  const reasons = [
    `${answering} of ${peers.size} peer${peers.size === 1 ? '' : 's'} can be used`,
    ...(drained > 0 ? [`${drained} drained`] : []),
    ...(unanswered.length > 0
      ? [
          listed(
            unanswered.map(({ error }) => error.message),
            '; ',
          ),
        ]
      : []),
  ];
  return new ShardctlError('TOO_FEW_PEERS', `${least} replicas are asked for, but ${reasons.join('; ')}`, {
    hint: 'add peers with `shardctl peers add`, mount or repair the missing ones, or lower --replication',
  });
}
