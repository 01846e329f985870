/** Takes shards from gateways onto the follower's peers, a few at once, and never more than its limit allows, whatever size a shard claims. */
import { BoundedQueue } from '../core/bounded-queue.ts';
import { ShardctlError } from '../core/errors.ts';
import { removeFile } from '../core/remove-file.ts';
import { parseCid } from '../dag/cid.ts';
import type { PackedShard } from '../storing/pack/open-shard.ts';
import { shardLabel } from '../storing/place/labels.ts';
import { type Holdings, type HoldingsOptions, indexOf } from './holdings.ts';
import { fetchShard } from './incoming-shard.ts';
import type { NearGateways } from './near-gateways.ts';
import type { Space } from './space.ts';

export interface TakingOptions extends Pick<HoldingsOptions, 'index' | 'emit' | 'signal'> {
  readonly gateways: NearGateways;
  readonly spool: string;
  /** Shards on their way at once. */
  readonly transfers: number;
  /** Of the repository, for labels. */
  readonly repository: string;
  readonly holdings: Holdings;
}

/** A shard of the snapshot, as its link says. */
export interface WantedShard {
  readonly number: number;
  readonly cid: string;
}

/** Where it goes, and how much of it there may be. */
export interface Room {
  readonly space: Space;
  /** Bytes that the follower may hold in all. */
  readonly limitBytes: number;
}

export class Taking {
  readonly #options: TakingOptions;
  /** Number of the next file in the spool. */
  #spooled: number | undefined;
  /** Bytes of shards on their way. */
  #coming = 0;
  taken = 0;
  takenBytes = 0;
  /** By CID: why it cannot be had. */
  readonly failures = new Map<string, ShardctlError>();
  /** By CID: the size of a CAR, of shards whose manifest was read. */
  readonly sizes = new Map<string, number>();

  constructor(options: TakingOptions) {
    this.#options = options;
  }

  /** For a file in the spool. */
  nextNumber(): number {
    const number = this.#spooled ?? indexOf(this.#options).nextShardNumber();
    this.#spooled = number + 1;
    return number;
  }

  /** Removes a shard from the spool. */
  async leave({ carPath }: PackedShard): Promise<void> {
    await removeFile(carPath);
  }

  /** @param onTaken called when a shard is held, before the next one is recorded */
  async takeAll(shards: readonly WantedShard[], room: Room, onTaken: (cid: string) => void): Promise<void> {
    const { transfers, emit } = this.#options;
    const queue = new BoundedQueue(transfers, transfers + 1);
    let done = 0;
    const take = async (shard: WantedShard) => {
      if (await this.take(shard, room)) onTaken(shard.cid);
      emit({ type: 'progress', label: 'follow', done: ++done, total: shards.length, bytes: this.takenBytes });
    };
    try {
      for (const shard of shards) await queue.add(() => take(shard));
    } finally {
      await queue.drained();
    }
  }

  /**
   * @param freeing makes room when the shard is in the spool, and says whether it may be put now
   * @returns whether it is held now; why not is told, and kept in `failures`
   */
  async take(
    shard: WantedShard,
    { space, limitBytes }: Room,
    freeing?: { readonly bytes: number; readonly free: () => Promise<boolean> },
  ): Promise<boolean> {
    const { gateways, spool, holdings, repository, signal } = this.#options;
    let coming = 0;
    const assertRoom = (carBytes: number) => {
      this.sizes.set(shard.cid, carBytes);
      const after = holdings.bytes + this.#coming - (freeing?.bytes ?? 0) + carBytes;
      if (after > limitBytes) throw new ShardctlError('NO_SPACE', `it has ${carBytes} bytes, which are ${after - limitBytes} too many`);
      coming = carBytes;
      this.#coming += coming;
    };
    try {
      const near = await gateways.having(parseCid(shard.cid));
      const packed = await fetchShard(near, shard.cid, { spool, number: this.nextNumber(), assertRoom });
      if (freeing !== undefined && !(await freeing.free())) {
        await this.leave(packed);
        return false;
      }
      await holdings.add(packed, shardLabel(repository, shard.number), (carBytes) => space.claim(carBytes));
      this.taken++;
      this.takenBytes += packed.carBytes;
      return true;
    } catch (error) {
      if (signal.aborted || !(error instanceof ShardctlError)) throw error;
      // Its size is known now, and the next choice goes by that.
      const isMisfit = error.code === 'NO_SPACE' && coming === 0 && this.sizes.has(shard.cid);
      if (!isMisfit) this.#fail(shard, error);
      return false;
    } finally {
      this.#coming -= coming;
    }
  }

  #fail({ cid, number }: WantedShard, error: ShardctlError): void {
    this.failures.set(cid, error);
    this.#options.emit({
      type: 'warning',
      message: `${shardLabel(this.#options.repository, number)} (${cid}) cannot be taken: ${error.message}`,
      cause: error.message,
    });
  }
}
