/**
 * place — puts packed shards on their peers while the pipeline goes on.
 * In: packed shards. Out: shard records in the index, in the state `placed`. Holds: the files of the shards under way: at most
 * `transfers` + 1, and as many again while peers lag.
 *
 * Crashes are survived by the order of writes (docs/architecture.md, "Order of writes"): a shard is announced, stored and pinned on every
 * peer that counts, confirmed by it, and only then recorded. Its peers are chosen when its turn has come, not before, so that no peer is
 * chosen that lags by then, as long as another will do. A shard that waits only for peers that lag takes no other shard's turn.
 */
import { BoundedQueue } from '../../core/bounded-queue.ts';
import type { DigestMap } from '../../core/digest-map.ts';
import { leastReplicas, type ShardRecord } from '../../core/model.ts';
import { removeFile } from '../../core/remove-file.ts';
import type { Peer, Throttle } from '../../peer/peer.ts';
import type { PackedShard } from '../pack/open-shard.ts';
import type { InTurn } from './in-turn.ts';
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

/** A peer does not lag as long as a put takes no longer than this. */
const PATIENCE_MS = 2_000;
/** How often `Placer` looks for peers that lag. */
const TICK_MS = 250;

/** Limits on uploads. */
export interface TransferLimits {
  /** Shards on their way to peers at once. */
  readonly transfers?: number | undefined;
  /** Slows uploads down. */
  readonly throttle?: Throttle | undefined;
}

export interface PlaceOptions extends PlacementOptions, TransferLimits {
  /** Milliseconds since 1970. */
  readonly now: () => number;
  /** Records a placed shard and its blocks durably. */
  readonly record: (shard: ShardRecord, digests: DigestMap) => Promise<void>;
  readonly patienceMs?: number;
  /** See `OpenHome`: two runs that place the same shard would each choose peers without those of the other. */
  readonly inTurn?: InTurn | undefined;
}

export class Placer {
  readonly #options: PlaceOptions;
  readonly #queue: BoundedQueue;
  readonly #transfers: number;
  readonly #pace: Pace;
  readonly #placements = new Set<Placement>();
  /** No more shards come. */
  #isDraining = false;
  #ticking: NodeJS.Timeout | undefined;
  /** Bytes that each peer was given in this run. */
  readonly placedBytes = new Map<string, number>();

  constructor(options: PlaceOptions) {
    this.#options = options;
    this.#transfers = options.transfers ?? defaultTransfers(options.peers);
    this.#queue = new BoundedQueue(this.#transfers, this.#transfers + 1);
    this.#pace = new Pace(options.patienceMs ?? PATIENCE_MS, options.now);
  }

  /** Takes a shard and places it when its turn comes; resolves when the next may come. */
  async place(shard: PackedShard): Promise<void> {
    this.#isDraining = false;
    const { inTurn } = this.#options;
    await this.#queue.add(() => (inTurn === undefined ? this.#transfer(shard) : inTurn(shard.cid, () => this.#transfer(shard))));
  }

  /** Resolves when every shard is placed and recorded. */
  async drained(): Promise<void> {
    this.#isDraining = true;
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
    await removeFile(carPath);
    emit({ type: 'placed', shard: number, cid, bytes, peers });
  }

  /** Names a shard that lacks replicas: the run ends with the error of the first, and others that are under way may fail as well. */
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

  /**
   * Lets other shards have the turns of those that wait only for peers that lag. At the end of a run, when only such are left, hurries
   * them.
   */
  #tick(): void {
    const stuck = [...this.#placements].filter(({ isStuck }) => isStuck);
    this.#queue.widen(Math.min(stuck.length, this.#transfers));
    if (!this.#isDraining || stuck.length < this.#placements.size) return;
    for (const placement of stuck) placement.hurry();
  }
}
