/**
 * One shard on its way to its peers, until enough of them have it.
 *
 * A peer that is only slow has not failed: as long as its replica is needed, it is waited for. Others may be begun beside it, and
 * whoever is done first counts; only what is not needed any more is given up. How long a peer may make no progress at all is for its
 * adapter to say, which then fails the put.
 */
import { ShardctlError } from '../../core/errors.ts';
import type { Emit } from '../../core/events.ts';
import { leastReplicas, mostReplicas, type Replication, type Stray } from '../../core/model.ts';
import { untilAborted } from '../../core/waiting.ts';
import type { Peer, PutOptions, SealedShard, Throttle } from '../../peer/peer.ts';
import type { Ledger } from '../allocate/ledger.ts';
import type { PackedShard } from '../pack/open-shard.ts';
import { shardLabel } from './labels.ts';
import type { Pace, Upload } from './pace.ts';
import { putWithRetries } from './put.ts';

/** The ledger as placing uses it. */
export type PlacingLedger = Pick<Ledger, 'refresh' | 'allocate' | 'arrived' | 'release' | 'exclude'>;

export interface PlacementOptions {
  readonly repository: string;
  readonly peers: ReadonlyMap<string, Peer>;
  readonly ledger: PlacingLedger;
  readonly replication: Replication;
  readonly emit: Emit;
  readonly signal: AbortSignal;
  /** Holds bytes back that are about to leave. */
  readonly throttle?: Throttle | undefined;
  /** Notes durably which peers are about to be given the shard: what a run that dies leaves there is found again. */
  readonly announce: (stray: Stray) => Promise<void>;
  readonly retryDelaysMs?: readonly number[];
}

/** A put under way, and the means to end it. */
interface Putting {
  readonly name: string;
  readonly upload: Upload;
  readonly giveUp: AbortController;
  readonly mayConsume: boolean;
  /** Another peer was begun beside it, because it lags. */
  isBacked: boolean;
}

export class Placement {
  readonly #options: PlacementOptions;
  readonly #pace: Pace;
  readonly #shard: PackedShard;
  readonly #sealed: SealedShard;
  readonly #holders: string[] = [];
  readonly #tried = new Set<string>();
  /** Those of the tried that were given up and did not fail. */
  readonly #slow = new Set<string>();
  /** Chosen, and not begun. */
  #chosen: string[] = [];
  /** The peer that gets the file when no other needs it any more. */
  #mover: string | undefined;
  readonly #puttings = new Set<Putting>();
  /** Ends the wait for the next thing to happen. */
  #wake = () => {};
  /** Puts of which the last is not heard yet. */
  #unsettled = 0;
  /** Why a peer has not taken the shard. */
  #failure: ShardctlError;
  /** An error that is none of a peer's. */
  #bug: { readonly error: unknown } | undefined;

  constructor(shard: PackedShard, pace: Pace, options: PlacementOptions) {
    this.#options = options;
    this.#pace = pace;
    this.#shard = shard;
    this.#sealed = { ...shard, label: shardLabel(options.repository, shard.number) };
    this.#failure = new ShardctlError('TOO_FEW_PEERS', `shard ${shard.number} is on too few peers`);
  }

  /** Peers that have the shard, confirmed. */
  get holders(): readonly string[] {
    return this.#holders;
  }

  /** It waits for nothing but peers that lag. */
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
        else if (this.#puttings.size === 0 && this.#mover !== undefined) this.#move();
        else if (this.#unsettled === 0) break;
        else await new Promise<void>((resolve) => (this.#wake = resolve));
      }
    } finally {
      this.#endAll(signal.aborted ? signal.reason : this.#failure);
    }
    if (this.#holders.length < this.#least) throw this.#failure;
    return [...this.#holders].sort();
  }

  /**
   * At the end of a run: peers that lag do not hold it up. What is needed of them is begun on another peer beside, if there is one,
   * and what is not needed is given up.
   */
  hurry(): void {
    const { emit } = this.#options;
    // Whoever waits for the others only to take the file may as well copy it.
    if (this.#mover !== undefined) {
      this.#move();
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

  /** Puts the shard on chosen peers, all at once but for the one that may take the file. */
  async #begin(names: readonly string[]): Promise<void> {
    const { peers, announce } = this.#options;
    await announce({ cid: this.#shard.cid, peers: names });
    // Enough others may have it by now.
    const wanted = names.filter((name) => this.#chosen.includes(name));
    this.#chosen = this.#chosen.filter((name) => !wanted.includes(name));
    const allocation = [...this.#holders, ...wanted];
    // Only among disks is it worth while to wait with the one that may take the file.
    const mover = this.#mover === undefined && wanted.every((name) => peers.get(name)?.kind === 'local') ? wanted.at(-1) : undefined;
    for (const name of wanted) if (name !== mover) this.#put(name, { mayConsume: false, allocation });
    this.#mover ??= mover;
  }

  /** Whoever may move the file gets it last, and only if no copy of it is needed any more. */
  #move(): void {
    const name = this.#mover as string;
    this.#mover = undefined;
    const allocation = [...this.#holders, name];
    this.#put(name, { mayConsume: this.#puttings.size === 0 && allocation.length >= this.#least, allocation });
  }

  #put(name: string, how: Pick<PutOptions, 'mayConsume' | 'allocation'>): void {
    const upload = this.#pace.begin(name, this.#shard);
    const putting: Putting = { name, upload, giveUp: new AbortController(), mayConsume: how.mayConsume, isBacked: false };
    this.#puttings.add(putting);
    this.#unsettled++;
    void this.#settle(putting, how)
      .catch((error: unknown) => {
        this.#bug = { error };
      })
      .finally(() => {
        this.#unsettled--;
        this.#wake();
      });
  }

  async #settle(putting: Putting, how: Pick<PutOptions, 'mayConsume' | 'allocation'>): Promise<void> {
    const { peers, ledger, replication, signal, throttle, emit, retryDelaysMs } = this.#options;
    const { name, giveUp, upload } = putting;
    const { carBytes } = this.#shard;
    try {
      const options = { ...how, ...(throttle === undefined ? {} : { throttle }), signal: AbortSignal.any([signal, giveUp.signal]) };
      const retrying = { emit, ...(retryDelaysMs === undefined ? {} : { retryDelaysMs }) };
      // A put that is given up may go on for as long as its peer hangs. If the shard arrives all the same, it is a stray: it was announced.
      await untilAborted(putWithRetries(peers.get(name) as Peer, this.#sealed, options, retrying), giveUp.signal);
    } catch (error) {
      this.#pace.end(upload, false);
      // Whoever ended it has seen to the rest.
      if (!this.#puttings.delete(putting)) return;
      ledger.release(name, carBytes);
      if (signal.aborted) return;
      if (!(error instanceof ShardctlError)) throw error;
      this.#leave(name, error);
      this.#substitute(error);
      return;
    }
    this.#pace.end(upload, true);
    if (!this.#puttings.delete(putting)) return;
    this.#holders.push(name);
    if (this.#holders.length >= mostReplicas(replication, peers))
      this.#endAll(new ShardctlError('TOO_FEW_PEERS', `shard ${this.#shard.number} is on enough peers`));
    // It has the shard, whatever it says of its space now.
    await ledger.arrived(name, carBytes);
  }

  #leave(name: string, { message, hint }: ShardctlError): void {
    const { ledger, emit } = this.#options;
    // Several shards may have been on their way there.
    if (!ledger.exclude(name)) return;
    emit({
      type: 'warning',
      message: `peer ${name} is left out for the rest of this run: ${message}`,
      cause: message,
      ...(hint === undefined ? {} : { hint }),
    });
  }

  /** Chooses peers that take the place of a failed one. None when enough have the shard, or will have it, or nobody is left. */
  #substitute(failure: ShardctlError): void {
    const { replication, peers } = this.#options;
    const living = this.#holders.length + this.#puttings.size + this.#chosen.length + (this.#mover === undefined ? 0 : 1);
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
      // What went wrong on the peer says more than that there is no other.
      if (error.code === 'NO_SPACE') this.#failure = error;
      this.#returnToSlow(wanted);
    }
  }

  /** Nobody else is left: those that were only slow get another chance. */
  #returnToSlow(wanted: Replication): void {
    const failed = new Set([...this.#tried].filter((name) => !this.#slow.has(name)));
    try {
      this.#choose(this.#allocate(wanted, failed));
    } catch (error) {
      if (!(error instanceof ShardctlError)) throw error;
    }
  }

  /** Begins another peer, one that does not lag, beside one that does. */
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
    // The file can be read by another only while it is there: who may take it is asked again when the other fails.
    if (putting.mayConsume) this.#giveUp(putting, new ShardctlError('TOO_FEW_PEERS', message));
  }

  #giveUp(putting: Putting, reason: ShardctlError): void {
    this.#slow.add(putting.name);
    this.#end(putting, reason);
  }

  #endAll(reason: unknown): void {
    for (const putting of [...this.#puttings]) this.#end(putting, reason);
    for (const name of this.#chosen.splice(0)) this.#options.ledger.release(name, this.#shard.carBytes);
    if (this.#mover !== undefined) this.#options.ledger.release(this.#mover, this.#shard.carBytes);
    this.#mover = undefined;
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
