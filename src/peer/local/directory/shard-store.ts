/** The seam inside the local peer: how shards lie in its directory. */
import type { SealedShard, ShardReader, Throttle } from '../../peer.ts';

export interface StorePut {
  /** The store may move the CAR instead of copying it. */
  readonly mayConsume: boolean;
  readonly signal: AbortSignal;
  /** Holds back bytes that are copied. */
  readonly throttle?: Throttle;
  /** Called before bytes are copied, never when the CAR can be moved. Throws when they would not fit the disk. */
  readonly beforeCopy: () => Promise<void>;
}

export interface ShardStore {
  /** Bytes that the shards here take, as CARs. The first call looks at each shard; later ones are free. */
  usedBytes(): Promise<number>;
  /** Bytes of this shard's CAR when it is here whole, as far as can be told without reading it. */
  sizeOf(cid: string): Promise<number | undefined>;
  put(shard: SealedShard, options: StorePut): Promise<void>;
  /**
   * Makes durable that a shard which is here is here: a run may have died between its last two steps.
   * @returns whether it is here still, all of it in its place
   */
  confirm(cid: string): Promise<boolean>;
  open(cid: string): Promise<ShardReader>;
  /** Opens what is left of a shard that cannot be opened: good blocks, and no word on what others there were. */
  salvage(cid: string): Promise<ShardReader>;
  list(): AsyncIterable<string>;
  /** Takes a shard away that nobody has marked; it stays when somebody has by the time that it is out of sight. */
  remove(cid: string): Promise<'removed' | 'kept'>;
}
