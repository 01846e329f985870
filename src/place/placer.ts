/**
 * place — brings sealed shards to their peers while the pipeline goes on.
 * In: sealed shards. Out: shard records in the index, in the state `placed`. Holds: the shards under way, which are files: at most
 * `transfers` + 1, and as many again while peers lag.
 *
 * The order is the promise (docs/design.md section 5): announced, stored and pinned on every peer that counts, confirmed, and
 * only then recorded. A shard gets its peers when its turn has come, not before: a peer that lags behind is not chosen then
 * while another will do, and what waits only for such a one does not count as under way.
 */
import { rm } from 'node:fs/promises';
import type { DigestMap } from '../digest-map.ts';
import { ShardctlError } from '../errors.ts';
import type { Emit } from '../events.ts';
import { BoundedQueue } from '../flow.ts';
import { leastReplicas, mostReplicas, type Replication, type ShardRecord, type Stray } from '../model.ts';
import type { Peer, SealedShard, Throttle } from '../peer/peer.ts';
import { Pace } from './pace.ts';
import { type Putting, putWithRetries, untilGivenUp } from './put.ts';

/**
 * Shards on their way at once. Measured on two busy cores, medians of 3, seconds for 96 MB to three Kubo daemons: one 4.65, two 3.22,
 * three 2.91, four 2.73, six 3.04; for 192 MB to three directories of one disk, twice each: one 2.85, two 1.97, four 2.68.
 */
const LOCAL_TRANSFERS = 2;
const REMOTE_TRANSFERS = 4;

export function defaultTransfers(peers: ReadonlyMap<string, Peer>): number {
  return [...peers.values()].every(({ kind }) => kind === 'local') ? LOCAL_TRANSFERS : REMOTE_TRANSFERS;
}

/** Nobody lags who takes no longer than this. */
const PATIENCE_MS = 2_000;
/** How often it is looked at who lags. */
const TICK_MS = 250;

/** A shard to place. */
export interface PlaceableShard {
  readonly number: number;
  readonly cid: string;
  readonly bytes: number;
  readonly blocks: number;
  readonly dagSize: number;
  readonly carPath: string;
  readonly carBytes: number;
  readonly digests: DigestMap;
}

/** What placing needs of the allocation stage. */
export interface Allocations {
  /** Has old metrics renewed. */
  refresh(): Promise<void>;
  /** Chooses peers for a shard and debits them. @throws ShardctlError when there are too few */
  allocate(request: {
    readonly cid: string;
    readonly bytes: number;
    readonly replication: Replication;
    readonly holders?: readonly string[];
    readonly except?: ReadonlySet<string>;
    readonly lagging?: ReadonlySet<string>;
  }): string[];
  /** The peer has what it was promised. */
  arrived(name: string, bytes: number): Promise<void>;
  /** The peer does not get what it was promised. */
  release(name: string, bytes: number): void;
  /** The peer failed: it gets nothing more in this run. */
  leave(name: string): boolean;
}

/** How uploads go about it. */
export interface Transferring {
  /** Shards on their way at once. */
  readonly transfers?: number | undefined;
  /** Holds bytes back that are about to leave. */
  readonly throttle?: Throttle | undefined;
}

export interface PlaceOptions extends Transferring {
  readonly repository: string;
  readonly peers: ReadonlyMap<string, Peer>;
  readonly allocations: Allocations;
  readonly replication: Replication;
  readonly emit: Emit;
  readonly signal: AbortSignal;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  /** Notes durably which peers are about to be given the shard: what a run that dies leaves there is found again. */
  readonly announce: (stray: Stray) => Promise<void>;
  /** Records a placed shard and its blocks durably. */
  readonly record: (shard: ShardRecord, digests: DigestMap) => Promise<void>;
  readonly retryDelaysMs?: readonly number[];
  readonly patienceMs?: number;
}

/** A shard under way. */
interface Job {
  readonly shard: PlaceableShard;
  readonly sealed: SealedShard;
  readonly holders: string[];
  readonly tried: Set<string>;
  readonly puttings: Set<Putting>;
  /** The peer that gets the file when the others have their copies. */
  mover: string | undefined;
  /** Chosen already to take the place of peers that were given up. */
  readonly substitutes: string[];
}

export class Placer {
  readonly #options: PlaceOptions;
  readonly #queue: BoundedQueue;
  readonly #transfers: number;
  readonly #pace: Pace;
  readonly #jobs = new Set<Job>();
  #draining = false;
  #ticking: NodeJS.Timeout | undefined;
  /** Bytes that each peer was given in this run. */
  readonly placedBytes = new Map<string, number>();

  constructor(options: PlaceOptions) {
    this.#options = options;
    this.#transfers = options.transfers ?? defaultTransfers(options.peers);
    this.#queue = new BoundedQueue(this.#transfers, this.#transfers + 1);
    this.#pace = new Pace(options.patienceMs ?? PATIENCE_MS, options.now);
  }

  /** Takes a sealed shard, and places it as soon as it can; resolves when the next may come. */
  async place(shard: PlaceableShard): Promise<void> {
    this.#draining = false;
    await this.#queue.add(() => this.#transfer(shard));
  }

  /** Resolves when every shard is placed and recorded. */
  async drained(): Promise<void> {
    this.#draining = true;
    await this.#queue.drained();
  }

  async #transfer(shard: PlaceableShard): Promise<void> {
    const { repository, allocations, replication, peers, announce, record, emit, signal } = this.#options;
    signal.throwIfAborted();
    await allocations.refresh();
    const { number, cid, bytes, blocks, dagSize, carPath, carBytes } = shard;
    const sealed: SealedShard = { cid, label: `${repository} ${String(number).padStart(8, '0')}`, bytes, blocks, carPath, carBytes };
    const job: Job = { shard, sealed, holders: [], tried: new Set(), puttings: new Set(), mover: undefined, substitutes: [] };
    let failure: unknown = new ShardctlError('TOO_FEW_PEERS', `shard ${number} is on too few peers`);
    this.#begin(job);
    try {
      for (let names = this.#allocate(job, replication); names.length > 0; ) {
        for (const name of names) job.tried.add(name);
        await announce({ cid, peers: names });
        const failed = await this.#putOnAll(job, names);
        if (failed === undefined) break;
        failure = failed;
        names = job.substitutes.length > 0 ? job.substitutes.splice(0) : this.#substitutes(job, failure);
      }
      if (job.holders.length < leastReplicas(replication, peers)) throw failure;
    } catch (error) {
      this.#tellMissing(job);
      throw error;
    } finally {
      this.#end(job);
    }
    const { holders } = job;
    await record({ number, cid, bytes, blocks, dagSize, carBytes, state: 'placed', peers: holders.sort() }, shard.digests);
    await rm(carPath, { force: true });
    emit({ type: 'placed', shard: number, cid, bytes, peers: holders });
  }

  /** The run ends with what went wrong with one shard; others may be under way, and each is named. */
  #tellMissing({ shard: { number, cid }, holders }: Job): void {
    const { replication, peers, signal, emit } = this.#options;
    if (signal.aborted) return;
    const where = holders.length === 0 ? '' : ` (${holders.join(', ')})`;
    const message = `shard ${number} is on ${holders.length} of ${leastReplicas(replication, peers)} peers${where}: ${cid}`;
    emit({ type: 'warning', message });
  }

  #allocate({ shard, holders, tried }: Job, replication: Replication): string[] {
    const lagging = this.#pace.lagging();
    return this.#options.allocations.allocate({ cid: shard.cid, bytes: shard.carBytes, replication, holders, except: tried, lagging });
  }

  /** Peers that take the place of failed ones. None when there are enough holders without, or nobody is left. */
  #substitutes(job: Job, failure: unknown): string[] {
    const { replication, peers } = this.#options;
    const min = leastReplicas(replication, peers) - job.holders.length;
    const max = mostReplicas(replication, peers) - job.holders.length;
    if (max <= 0) return [];
    try {
      return this.#allocate(job, { min: Math.max(1, min), max });
    } catch (error) {
      if (min <= 0) return [];
      // What went wrong on the peer says more than that there is no other.
      throw failure instanceof ShardctlError && !(error instanceof ShardctlError && error.code === 'NO_SPACE') ? failure : error;
    }
  }

  /** Puts the shard on these peers, all at once but for the one that may take the file; returns a failure if any of them failed. */
  async #putOnAll(job: Job, names: readonly string[]): Promise<unknown> {
    const { peers, signal, replication } = this.#options;
    // Only among disks is it worth while to wait with the one that may take the file.
    const isLocal = (name: string) => peers.get(name)?.kind === 'local';
    const mover = names.every(isLocal) ? names.at(-1) : undefined;
    job.mover = mover;
    const allocation = [...job.holders, ...names];
    const put = (name: string, mayConsume: boolean) => this.#putOn(job, name, { mayConsume, allocation });
    const failures = await Promise.all(names.filter((name) => name !== mover).map((name) => put(name, false)));
    signal.throwIfAborted();
    job.mover = undefined;
    if (mover !== undefined) {
      // Whoever may move the file gets it last, and only if no copy of it is needed any more.
      const isLast = failures.every((failed) => failed === undefined) && allocation.length >= leastReplicas(replication, peers);
      failures.push(await put(mover, isLast));
    }
    return failures.find((failed) => failed !== undefined)?.error;
  }

  async #putOn(
    job: Job,
    name: string,
    how: { mayConsume: boolean; allocation: readonly string[] },
  ): Promise<{ readonly error: unknown } | undefined> {
    const { peers, allocations, signal, throttle, emit, retryDelaysMs } = this.#options;
    const { carBytes } = job.shard;
    const upload = this.#pace.begin(name, carBytes);
    const giveUp = new AbortController();
    const putting: Putting = { upload, giveUp };
    job.puttings.add(putting);
    let isDone = false;
    try {
      const options = { ...how, ...(throttle === undefined ? {} : { throttle }), signal: AbortSignal.any([signal, giveUp.signal]) };
      const retrying = { emit, ...(retryDelaysMs === undefined ? {} : { retryDelaysMs }) };
      await untilGivenUp(putWithRetries(peers.get(name) as Peer, job.sealed, options, retrying), giveUp.signal);
      isDone = true;
    } catch (error) {
      signal.throwIfAborted();
      allocations.release(name, carBytes);
      const reason: unknown = giveUp.signal.aborted ? giveUp.signal.reason : error;
      if (!(reason instanceof ShardctlError)) throw reason;
      const hint = reason.hint === undefined ? {} : { hint: reason.hint };
      if (giveUp.signal.aborted) {
        emit({ type: 'warning', message: reason.message, ...hint });
      } else {
        // Several shards may have been on their way there.
        if (allocations.leave(name))
          emit({ type: 'warning', message: `peer ${name} is left out for the rest of this run: ${reason.message}`, ...hint });
      }
      return { error: reason };
    } finally {
      job.puttings.delete(putting);
      this.#pace.end(upload, isDone);
    }
    job.holders.push(name);
    this.placedBytes.set(name, (this.placedBytes.get(name) ?? 0) + carBytes);
    // It has the shard, whatever it says of its space now.
    await allocations.arrived(name, carBytes);
    return undefined;
  }

  #begin(job: Job): void {
    this.#jobs.add(job);
    this.#ticking ??= setInterval(() => this.#tick(), TICK_MS);
  }

  #end(job: Job): void {
    this.#jobs.delete(job);
    if (this.#jobs.size > 0) return;
    clearInterval(this.#ticking);
    this.#ticking = undefined;
  }

  /** Shards that wait only for peers that lag do not hold up the others; at the end of a run, they do not hold it up either. */
  #tick(): void {
    const stuck = [...this.#jobs].filter(
      ({ puttings }) => puttings.size > 0 && [...puttings].every(({ upload }) => this.#pace.isLagging(upload)),
    );
    this.#queue.widen(Math.min(stuck.length, this.#transfers));
    if (!this.#draining || stuck.length < this.#jobs.size) return;
    for (const job of stuck) for (const putting of job.puttings) this.#giveUp(job, putting);
  }

  /** Sends the shard elsewhere, if there is a place for it, or does with fewer replicas than there might be, if there are enough. */
  #giveUp(job: Job, { upload: { peer }, giveUp }: Putting): void {
    const { allocations, replication, peers } = this.#options;
    if (giveUp.signal.aborted) return;
    const left = job.holders.length + job.puttings.size + (job.mover === undefined ? 0 : 1) + job.substitutes.length - 1;
    let instead: string[] = [];
    try {
      const others = this.#allocate({ ...job, tried: new Set([...job.tried, ...job.substitutes]) }, { min: 1, max: 1 });
      const lagging = this.#pace.lagging();
      instead = others.filter((name) => !lagging.has(name));
      for (const name of others) if (lagging.has(name)) allocations.release(name, job.shard.carBytes);
    } catch (error) {
      if (!(error instanceof ShardctlError)) throw error;
    }
    if (instead.length === 0 && left < leastReplicas(replication, peers)) return;
    job.substitutes.push(...instead);
    const then = instead.length > 0 ? `goes to ${instead.join(', ')} instead` : 'does without it';
    giveUp.abort(new ShardctlError('TOO_FEW_PEERS', `peer ${peer} is much slower than the others: shard ${job.shard.number} ${then}`));
  }
}
