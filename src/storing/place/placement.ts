/**
 * One shard on its way to its peers, until enough of them have it.
 *
 * A peer that is only slow has not failed: a put is given up only when its replica is not needed any more. Meanwhile puts on other peers
 * may be begun beside it, and whichever ends first counts. How long a peer may make no progress at all is for its adapter to say, which
 * then fails the put.
 */
import { ShardctlError } from '../../core/errors.ts';
import { type Emit, peerWarning } from '../../core/events.ts';
import { leastReplicas, mostReplicas, type Replication, type Stray } from '../../core/model.ts';
import { untilAborted } from '../../core/waiting.ts';
import { type Peer, type PutOptions, peerNamed, type SealedShard, type Throttle } from '../../peer/peer.ts';
import type { Ledger } from '../allocate/ledger.ts';
import type { PackedShard } from '../pack/open-shard.ts';
import { shardLabel } from './labels.ts';
import type { Pace, Upload } from './pace.ts';
import { putWithRetries } from './put.ts';

/** The part of the ledger that placing uses. */
export type PlacingLedger = Pick<Ledger, 'refresh' | 'allocate' | 'arrived' | 'release' | 'exclude' | 'doubt'>;

export interface PlacementOptions {
  readonly repository: string;
  readonly peers: ReadonlyMap<string, Peer>;
  readonly ledger: PlacingLedger;
  readonly replication: Replication;
  readonly emit: Emit;
  readonly signal: AbortSignal;
  /** Slows uploads down. */
  readonly throttle?: Throttle | undefined;
  /** Notes durably which peers are about to be given the shard, so that what a run that dies leaves there is found again. */
  readonly announce: (stray: Stray) => Promise<void>;
  readonly retryDelaysMs?: readonly number[] | undefined;
}

/** A put under way, and the means to end it. */
interface Putting {
  readonly name: string;
  readonly upload: Upload;
  readonly giveUp: AbortController;
  readonly mayConsume: boolean;
  /** It lags, and a put on another peer was begun beside it. */
  isBacked: boolean;
}

export class Placement {
  readonly #options: PlacementOptions;
  readonly #pace: Pace;
  readonly #shard: PackedShard;
  readonly #sealed: SealedShard;
  readonly #holders: string[] = [];
  /** Peers that were chosen at any time. */
  readonly #tried = new Set<string>();
  /** Those of them whose put was given up, and did not fail. */
  readonly #slow = new Set<string>();
  /** Peers that are chosen, and on which no put has begun. */
  #chosen: string[] = [];
  /** The peer that is put last, and may then take the file instead of a copy. */
  #fileTaker: string | undefined;
  /** Puts that are under way and were not given up. */
  readonly #puttings = new Set<Putting>();
  /** Has `run` look again what is to be done. */
  #wake = () => {};
  /** Calls of `#carryOut` that have not ended. */
  #unfinished = 0;
  /** Why the last peer that failed has not taken the shard. */
  #failure: ShardctlError;
  /** An error that is no peer's failure: a bug of ours. */
  #bug: { readonly error: unknown } | undefined;

  constructor(shard: PackedShard, pace: Pace, options: PlacementOptions) {
    this.#options = options;
    this.#pace = pace;
    this.#shard = shard;
    this.#sealed = { ...shard, label: shardLabel(options.repository, shard.number) };
    this.#failure = new ShardctlError('TOO_FEW_PEERS', `shard ${shard.number} is on too few peers`);
  }

  /** Peers that have confirmed that they have the shard. */
  get holders(): readonly string[] {
    return this.#holders;
  }

  /** Whether it waits for nothing but peers that lag. */
  get isStuck(): boolean {
    return this.#chosen.length === 0 && this.#puttings.size > 0 && [...this.#puttings].every(({ upload }) => this.#pace.isLagging(upload));
  }

  /** @returns the holders, by name @throws ShardctlError when fewer than the least replicas could be made */
  async run(): Promise<string[]> {
    const { signal, replication } = this.#options;
    try {
      this.#choose(this.#allocate(replication, this.#tried));
      for (;;) {
        signal.throwIfAborted();
        if (this.#bug !== undefined) throw this.#bug.error;
        if (this.#chosen.length > 0) await this.#begin([...this.#chosen]);
        else if (this.#puttings.size === 0 && this.#fileTaker !== undefined) this.#putOnLast(this.#fileTaker);
        else if (this.#unfinished === 0) break;
        else await new Promise<void>((resolve) => (this.#wake = resolve));
      }
    } finally {
      this.#endAll(signal.aborted ? signal.reason : this.#failure);
    }
    if (this.#holders.length < this.#least) throw this.#failure;
    return [...this.#holders].sort();
  }

  /**
   * Called at the end of a run, so that peers that lag do not hold it up. A replica that is needed of such a peer is begun on another one
   * as well, if there is one; a replica that is not needed is given up.
   */
  hurry(): void {
    const { emit } = this.#options;
    // The peer that waits for the others in order to take the file may as well copy it.
    if (this.#fileTaker !== undefined) {
      this.#putOnLast(this.#fileTaker);
      return;
    }
    for (const putting of [...this.#puttings]) {
      const slower = `peer ${putting.name} is much slower than the others: shard ${this.#shard.number}`;
      if (this.#holders.length >= this.#least) {
        const tooLate = new ShardctlError('TOO_FEW_PEERS', `${slower} does without it`);
        if (!putting.isBacked) emit({ type: 'warning', message: tooLate.message });
        this.#giveUp(putting, tooLate);
      } else if (!putting.isBacked) this.#back(putting, slower);
    }
    this.#wake();
  }

  get #least(): number {
    return leastReplicas(this.#options.replication, this.#options.peers);
  }

  #choose(names: readonly string[]): void {
    for (const name of names) {
      this.#tried.add(name);
      this.#slow.delete(name);
    }
    this.#chosen.push(...names);
  }

  /** Puts the shard on chosen peers: all at once, except the one that may take the file. */
  async #begin(names: readonly string[]): Promise<void> {
    const { peers, announce } = this.#options;
    await announce({ cid: this.#shard.cid, peers: names });
    // Meanwhile enough others may have confirmed the shard: then these are not chosen any more.
    const wanted = names.filter((name) => this.#chosen.includes(name));
    this.#chosen = this.#chosen.filter((name) => !wanted.includes(name));
    const allocation = [...this.#holders, ...wanted];
    // A local peer takes the file by a rename, which is worth waiting for the other disks; a daemon is sent it anyway.
    const taker = this.#fileTaker === undefined && wanted.every((name) => peers.get(name)?.kind === 'local') ? wanted.at(-1) : undefined;
    for (const name of wanted) if (name !== taker) this.#put(name, { mayConsume: false, allocation });
    this.#fileTaker ??= taker;
  }

  /** Puts the shard on the last peer. It may take the file if nobody else needs that any more. */
  #putOnLast(name: string): void {
    this.#fileTaker = undefined;
    const allocation = [...this.#holders, name];
    this.#put(name, { mayConsume: this.#puttings.size === 0 && allocation.length >= this.#least, allocation });
  }

  #put(name: string, how: Pick<PutOptions, 'mayConsume' | 'allocation'>): void {
    const upload = this.#pace.begin(name, this.#shard);
    const putting: Putting = { name, upload, giveUp: new AbortController(), mayConsume: how.mayConsume, isBacked: false };
    this.#puttings.add(putting);
    this.#unfinished++;
    void this.#carryOut(putting, how)
      .catch((error: unknown) => {
        this.#bug = { error };
      })
      .finally(() => {
        this.#unfinished--;
        this.#wake();
      });
  }

  async #carryOut(putting: Putting, how: Pick<PutOptions, 'mayConsume' | 'allocation'>): Promise<void> {
    const { peers, ledger, replication, signal, throttle, emit, retryDelaysMs } = this.#options;
    const { name, giveUp, upload } = putting;
    const { carBytes } = this.#shard;
    try {
      const options = { ...how, throttle, signal: AbortSignal.any([signal, giveUp.signal]) };
      // It may be given up before its last attempt, and is then not known to have failed.
      const tries = { emit, retryDelaysMs, onFailure: () => ledger.doubt(name) };
      const put = putWithRetries(peerNamed(peers, name), this.#sealed, options, tries);
      // A put that is given up may go on for as long as its peer hangs. If the shard arrives all the same, it is a stray: it was announced.
      await untilAborted(put, giveUp.signal);
    } catch (error) {
      this.#pace.end(upload, false);
      // `#end` has released it already.
      if (!this.#puttings.delete(putting)) return;
      ledger.release(name, carBytes);
      if (signal.aborted) return;
      if (!(error instanceof ShardctlError)) throw error;
      this.#exclude(name, error);
      this.#substitute(error);
      return;
    }
    this.#pace.end(upload, true);
    if (!this.#puttings.delete(putting)) return;
    this.#holders.push(name);
    if (this.#holders.length >= mostReplicas(replication, peers))
      this.#endAll(new ShardctlError('TOO_FEW_PEERS', `shard ${this.#shard.number} is on enough peers`));
    // Also when the peer does not answer when it is asked for its free space: it has confirmed the shard.
    await ledger.arrived(name, carBytes);
  }

  #exclude(name: string, error: ShardctlError): void {
    const { ledger, emit } = this.#options;
    // Several shards may have been on their way there: only the first failure is reported.
    if (!ledger.exclude(name)) return;
    const hint = error.hint === undefined ? {} : { hint: error.hint };
    emit({ ...peerWarning(name, 'is left out for the rest of this run', error), ...hint });
  }

  /** Chooses peers in place of one that failed, unless enough have the shard or will have it, or no peer is left. */
  #substitute(failure: ShardctlError): void {
    const { replication, peers } = this.#options;
    const living = this.#holders.length + this.#puttings.size + this.#chosen.length + (this.#fileTaker === undefined ? 0 : 1);
    const min = this.#least - living;
    const max = mostReplicas(replication, peers) - living;
    this.#failure = failure;
    if (max <= 0) return;
    const wanted = { min: Math.max(1, min), max };
    try {
      this.#choose(this.#allocate(wanted, this.#tried));
    } catch (error) {
      if (!(error instanceof ShardctlError)) throw error;
      if (min <= 0) return;
      // The peer's failure says more than that no other peer is left, except when the others have no room.
      if (error.code === 'NO_SPACE') this.#failure = error;
      this.#returnToSlow(wanted);
    }
  }

  /** No other peer is left: those that were given up because they were slow are chosen again. */
  #returnToSlow(wanted: Replication): void {
    const failed = new Set([...this.#tried].filter((name) => !this.#slow.has(name)));
    try {
      this.#choose(this.#allocate(wanted, failed));
    } catch (error) {
      if (!(error instanceof ShardctlError)) throw error;
    }
  }

  /** Begins a put on another peer, one that does not lag, beside one on a peer that does. */
  #back(putting: Putting, slower: string): void {
    const { ledger, emit } = this.#options;
    const lagging = this.#pace.lagging();
    let instead: string | undefined;
    try {
      [instead] = this.#allocate({ min: 1, max: 1 }, this.#tried);
    } catch (error) {
      if (!(error instanceof ShardctlError)) throw error;
    }
    if (instead === undefined) return;
    if (lagging.has(instead)) {
      ledger.release(instead, this.#shard.carBytes);
      return;
    }
    const message = `${slower} goes to ${instead} ${putting.mayConsume ? 'instead' : 'as well'}`;
    emit({ type: 'warning', message });
    putting.isBacked = true;
    this.#choose([instead]);
    // A put that may take the file must end before another one reads it. If the other fails, this peer is chosen again.
    if (putting.mayConsume) this.#giveUp(putting, new ShardctlError('TOO_FEW_PEERS', message));
  }

  #giveUp(putting: Putting, reason: ShardctlError): void {
    this.#slow.add(putting.name);
    this.#end(putting, reason);
  }

  #endAll(reason: unknown): void {
    for (const putting of [...this.#puttings]) this.#end(putting, reason);
    for (const name of this.#chosen.splice(0)) this.#options.ledger.release(name, this.#shard.carBytes);
    if (this.#fileTaker !== undefined) this.#options.ledger.release(this.#fileTaker, this.#shard.carBytes);
    this.#fileTaker = undefined;
  }

  #end(putting: Putting, reason: unknown): void {
    this.#puttings.delete(putting);
    this.#options.ledger.release(putting.name, this.#shard.carBytes);
    putting.giveUp.abort(reason);
  }

  #allocate(replication: Replication, except: ReadonlySet<string>): string[] {
    const { cid, carBytes } = this.#shard;
    const lagging = new Set([...this.#pace.lagging(), ...this.#slow]);
    return this.#options.ledger.allocate({ cid, bytes: carBytes, replication, holders: this.#holders, except, lagging });
  }
}
