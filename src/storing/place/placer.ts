/**
 * place — brings sealed shards to their peers while the pipeline goes on.
 * In: sealed shards. Out: shard records in the index, in the state `placed`. Holds: the shards under way, which are files: at most
 * `transfers` + 1, and as many again while peers lag.
 *
 * The order is the promise (docs/architecture.md, "Order of writes"): announced, stored and pinned on every peer that counts, confirmed, and
 * only then recorded. A shard gets its peers when its turn has come, not before: a peer that lags behind is not chosen then
 * while another will do, and what waits only for such a one does not count as under way.
 */
import { rm } from 'node:fs/promises';
import { BoundedQueue } from '../../core/bounded-queue.ts';
import type { DigestMap } from '../../core/digest-map.ts';
import { leastReplicas, type ShardRecord } from '../../core/model.ts';
import type { Peer, Throttle } from '../../peer/peer.ts';
import type { PackedShard } from '../pack/open-shard.ts';
import { Pace } from './pace.ts';
import { Placement, type PlacementOptions } from './placement.ts';

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

/** How uploads go about it. */
export interface Transferring {
  /** Shards on their way at once. */
  readonly transfers?: number | undefined;
  /** Holds bytes back that are about to leave. */
  readonly throttle?: Throttle | undefined;
}

export interface PlaceOptions extends PlacementOptions, Transferring {
  /** Milliseconds since 1970. */
  readonly now: () => number;
  /** Records a placed shard and its blocks durably. */
  readonly record: (shard: ShardRecord, digests: DigestMap) => Promise<void>;
  readonly patienceMs?: number;
}

export class Placer {
  readonly #options: PlaceOptions;
  readonly #queue: BoundedQueue;
  readonly #transfers: number;
  readonly #pace: Pace;
  readonly #placements = new Set<Placement>();
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
  async place(shard: PackedShard): Promise<void> {
    this.#draining = false;
    await this.#queue.add(() => this.#transfer(shard));
  }

  /** Resolves when every shard is placed and recorded. */
  async drained(): Promise<void> {
    this.#draining = true;
    await this.#queue.drained();
  }

  async #transfer(shard: PackedShard): Promise<void> {
    const { ledger, record, emit, signal } = this.#options;
    signal.throwIfAborted();
    await ledger.refresh();
    const { number, cid, bytes, blocks, dagSize, carPath, carBytes } = shard;
    const placement = new Placement(shard, this.#pace, this.#options);
    let peers: string[];
    this.#begin(placement);
    try {
      peers = await placement.run();
    } catch (error) {
      this.#tellMissing(shard, placement.holders);
      throw error;
    } finally {
      this.#end(placement);
    }
    for (const name of peers) this.placedBytes.set(name, (this.placedBytes.get(name) ?? 0) + carBytes);
    await record({ number, cid, bytes, blocks, dagSize, carBytes, state: 'placed', peers }, shard.digests);
    await rm(carPath, { force: true });
    emit({ type: 'placed', shard: number, cid, bytes, peers });
  }

  /** The run ends with what went wrong with one shard; others may be under way, and each is named. */
  #tellMissing({ number, cid }: PackedShard, holders: readonly string[]): void {
    const { replication, peers, signal, emit } = this.#options;
    if (signal.aborted) return;
    const where = holders.length === 0 ? '' : ` (${holders.join(', ')})`;
    const message = `shard ${number} is on ${holders.length} of ${leastReplicas(replication, peers)} peers${where}: ${cid}`;
    emit({ type: 'warning', message, cause: 'shards that were under way lack replicas' });
  }

  #begin(placement: Placement): void {
    this.#placements.add(placement);
    this.#ticking ??= setInterval(() => this.#tick(), TICK_MS);
  }

  #end(placement: Placement): void {
    this.#placements.delete(placement);
    if (this.#placements.size > 0) return;
    clearInterval(this.#ticking);
    this.#ticking = undefined;
  }

  /** Shards that wait only for peers that lag do not hold up the others; at the end of a run, they do not hold it up either. */
  #tick(): void {
    const stuck = [...this.#placements].filter(({ isStuck }) => isStuck);
    this.#queue.widen(Math.min(stuck.length, this.#transfers));
    if (!this.#draining || stuck.length < this.#placements.size) return;
    for (const placement of stuck) placement.hurry();
  }
}
