/**
 * Moves shards, a few at a time. Each is read from its replicas into the spool, put on its new peer, confirmed and recorded; only then is
 * the old copy removed. A run that dies in between leaves one copy too many, which the next run or `prune` removes, and never one too few.
 */
import { BoundedQueue } from '../../core/bounded-queue.ts';
import { ShardctlError } from '../../core/errors.ts';
import { peerWarning } from '../../core/events.ts';
import { removeFileSync } from '../../core/remove-file.ts';
import { peerNamed } from '../../peer/peer.ts';
import type { Ledger } from '../allocate/ledger.ts';
import type { Holding } from '../holdings.ts';
import type { InTurn } from '../place/in-turn.ts';
import { defaultTransfers, type TransferLimits } from '../place/placer.ts';
import { putWithRetries } from '../place/put.ts';
import type { Failures } from './failures.ts';
import { type Gone, type LettingGo, letGo, takeAway } from './let-go.ts';
import { rebuild } from './rebuild.ts';

/** One copy of a holding that is to be made (`to` alone), moved, or removed (`from` alone). */
export interface PlannedMove {
  readonly holding: Holding;
  /** Peers that say that they have it. */
  readonly confirmed: readonly string[];
  readonly from: string | undefined;
  /** The ledger has debited it already. */
  readonly to: string | undefined;
  /** The allocators by which another peer is chosen when that one fails. */
  readonly allocateBy: readonly string[];
}

export interface MoverRun extends LettingGo, TransferLimits {
  /** See `OpenHome`. */
  readonly inTurn?: InTurn | undefined;
  /** Directory for shards on their way to peers. */
  readonly spool: string;
  readonly signal: AbortSignal;
}

export interface MoveCounts {
  /** Copies made on other peers, and their bytes. */
  readonly copied: number;
  readonly copiedBytes: number;
  /** Copies removed, and their bytes. */
  readonly removed: number;
  readonly removedBytes: number;
  /** Copies that this home does not count on any more, and that peers keep because other homes do. */
  readonly kept: number;
  /** Copies that could not be made, moved or removed; the warnings say why, and the next run tries again. */
  readonly left: number;
  /** Shards of which no whole copy can be read, although the peers that have one answer: each counts once, however many copies of it are left. */
  readonly unreadable: number;
  /** Those of `left` for which no peer has room. */
  readonly full: number;
}

export const NOTHING_MOVED: MoveCounts = {
  copied: 0,
  copiedBytes: 0,
  removed: 0,
  removedBytes: 0,
  kept: 0,
  left: 0,
  unreadable: 0,
  full: 0,
};

export class Mover {
  readonly #run: MoverRun;
  readonly #ledger: Ledger;
  /** Number of the next file in the spool. */
  #spooled: number;
  readonly #counts = { ...NOTHING_MOVED };
  /** Why peers fell silent from which shards were read. Nothing more is read from them in this run: each try costs time-outs. */
  readonly #silences = new Map<string, string>();
  /** CIDs of shards of which no whole copy could be read. Each is read and told once, and not for each further copy of it. */
  readonly #unread = new Set<string>();

  constructor(run: MoverRun, ledger: Ledger) {
    this.#run = run;
    this.#ledger = ledger;
    this.#spooled = run.index.nextShardNumber();
  }

  get counts(): MoveCounts {
    return this.#counts;
  }

  async moveAll(moves: readonly PlannedMove[]): Promise<void> {
    const { emit, signal, peers, transfers = defaultTransfers(peers) } = this.#run;
    const queue = new BoundedQueue(transfers, transfers + 1);
    let done = 0;
    // Replicas of one shard move one after the other: each changes the same records.
    const byHolding = new Map<Holding, PlannedMove[]>();
    for (const move of moves) byHolding.set(move.holding, [...(byHolding.get(move.holding) ?? []), move]);
    const each = async ([holding, steps]: [Holding, readonly PlannedMove[]]) => {
      let holders = holding.peers;
      for (const step of steps) {
        signal.throwIfAborted();
        if (this.#unread.has(holding.cid)) this.#leave(step);
        else holders = await this.#move({ ...step, holding: { ...holding, peers: holders } });
        emit({ type: 'progress', label: 'moving', done: ++done, total: moves.length, bytes: this.#counts.copiedBytes });
      }
    };
    try {
      for (const entry of byHolding) await queue.add(() => each(entry));
    } finally {
      await queue.drained();
    }
  }

  #leave({ holding, to }: PlannedMove): void {
    if (to !== undefined) this.#ledger.release(to, holding.carBytes);
    this.#counts.left++;
  }

  /** @returns the peers that hold it now */
  async #move({ holding, confirmed, from, to, allocateBy }: PlannedMove): Promise<readonly string[]> {
    const { cid, carBytes } = holding;
    if (to === undefined) {
      if (from === undefined) return holding.peers;
      const stay = confirmed.filter((name) => name !== from);
      const { gone, peers } = await letGo(this.#run, { holding, from, stay });
      this.#count(gone, carBytes);
      return peers;
    }
    const { inTurn = (_, work) => work() } = this.#run;
    const peers = await inTurn(cid, async () => {
      const target = await this.#copy({ holding, confirmed, from, to, allocateBy });
      return target === undefined ? undefined : await this.#record(holding, from, target);
    });
    if (peers === undefined) {
      this.#counts.left++;
      return holding.peers;
    }
    this.#counts.copied++;
    this.#counts.copiedBytes += carBytes;
    if (from !== undefined) this.#count(await takeAway(this.#run, cid, from), carBytes);
    return peers;
  }

  /** @returns the peers that hold it now, as far as this run knows */
  async #record(holding: Holding, from: string | undefined, to: string): Promise<readonly string[]> {
    const { index, emit } = this.#run;
    const { cid, label, carBytes } = holding;
    const peers = [...new Set([...holding.peers.filter((name) => name !== from), to])].sort();
    // A copy more takes nothing from anybody, so other runs may have changed the records meanwhile.
    if (from === undefined) await index.addHolders(cid, holding, [to]);
    else await index.relocate(cid, holding, peers);
    emit({ type: 'moved', what: `${label} ${cid}`, bytes: carBytes, ...(from === undefined ? {} : { from }), to });
    return peers;
  }

  /** Removes a copy that no record names, as a run that died leaves it. It is no replica, and is not counted as one that was removed. */
  async removeStray(cid: string, name: string): Promise<void> {
    const gone = await takeAway(this.#run, cid, name);
    if (gone !== 'removed') this.#count(gone, 0);
  }

  #count(gone: Gone, bytes: number): void {
    if (gone === 'kept') this.#counts.kept++;
    if (gone === 'left') this.#counts.left++;
    if (gone !== 'removed') return;
    this.#counts.removed++;
    this.#counts.removedBytes += bytes;
  }

  /** @returns the peer that has a confirmed copy now; undefined when no whole copy can be read, or no peer takes it */
  async #copy({ holding, confirmed, from, to: first, allocateBy }: PlannedMove & { readonly to: string }): Promise<string | undefined> {
    const { index, peers, spool, signal, emit, throttle } = this.#run;
    const { cid, label, carBytes } = holding;
    const asked = confirmed.filter((name) => !this.#silences.has(name));
    const sources = asked.map((name) => peers.get(name)).filter((peer) => peer !== undefined);
    const rebuilt = await rebuild(holding, { spool, number: this.#spooled++, from: sources, signal });
    for (const [name, cause] of rebuilt.silences) this.#silences.set(name, cause);
    const whole = rebuilt.shard;
    if (whole === undefined) {
      this.#ledger.release(first, carBytes);
      this.#unread.add(cid);
      this.#tellUnread(holding, confirmed, rebuilt);
      return undefined;
    }
    const tried = new Set(from === undefined ? [] : [from]);
    let isFull = false;
    const shard = { ...whole, label };
    try {
      for (let to: string | undefined = first; to !== undefined; to = this.#another(holding, { from, tried, allocateBy })) {
        tried.add(to);
        await index.noteStray({ cid, peers: [to] });
        const options = { mayConsume: false, allocation: [...confirmed.filter((name) => name !== from), to], throttle, signal };
        try {
          await putWithRetries(peerNamed(peers, to), shard, options, { emit });
          await this.#ledger.arrived(to, carBytes);
          return to;
        } catch (error) {
          signal.throwIfAborted();
          if (!(error instanceof ShardctlError)) throw error;
          isFull ||= error.code === 'NO_SPACE';
          this.#ledger.release(to, carBytes);
          this.#ledger.exclude(to);
          emit(peerWarning(to, 'is left out for the rest of this run', error));
        }
      }
      if (isFull) this.#counts.full++;
      return undefined;
    } finally {
      removeFileSync(whole.carPath);
    }
  }

  /** Damage is told of those that have it. Of what silent peers hold nobody knows how it is, nor of what could not be read. */
  #tellUnread({ cid, label, peers }: Holding, confirmed: readonly string[], { damages, unread }: Failures): void {
    const { emit } = this.#run;
    const what = `${label} ${cid}`;
    const holders = new Set([...peers, ...confirmed]);
    const silences = new Map([...this.#ledger.silent(), ...this.#silences].filter(([name]) => holders.has(name)));
    for (const [peer, cause] of silences)
      emit({ type: 'warning', peer, message: `${what} stays where it is, because peer ${peer} does not answer: ${cause}`, cause });
    for (const [peer, { message: cause, hint }] of unread)
      emit({ type: 'warning', peer, message: `${what} stays where it is: ${cause}`, cause, ...(hint === undefined ? {} : { hint }) });
    if (damages.size === 0 && silences.size + unread.size > 0) return;
    this.#counts.unreadable++;
    const where = [...damages.keys()].join(', ') || 'all peers';
    emit({ type: 'damage', what, where, detail: 'no whole copy can be read: `shardctl repair` it first' });
  }

  #another(
    { cid, carBytes, peers }: Holding,
    { from, tried, allocateBy }: Pick<PlannedMove, 'from' | 'allocateBy'> & { readonly tried: ReadonlySet<string> },
  ): string | undefined {
    const holders = peers.filter((name) => name !== from);
    try {
      return this.#ledger.allocate({ cid, bytes: carBytes, replication: { min: 1, max: 1 }, allocateBy, holders, except: tried })[0];
    } catch (error) {
      if (error instanceof ShardctlError) return undefined;
      throw error;
    }
  }
}
