/** The seam inside the local peer: a layout, that is, how shards are kept in its directory. */
import type { SealedShard, ShardReader, Throttle } from '../../peer.ts';

export interface StorePut {
  /** The store may move the CAR instead of copying it. */
  readonly mayConsume: boolean;
  readonly signal: AbortSignal;
  /** Limits the rate of bytes that are copied. */
  readonly throttle?: Throttle;
  /** Called before bytes are copied; not called when the CAR is moved. Throws when they would not fit on the disk. */
  readonly beforeCopy: () => Promise<void>;
}

export interface ShardStore {
  /**
   * Sizes of the shards' CARs, added up. The first call looks at each shard; later calls return the sum that is kept up to date with what
   * this process does, and look again only where that `isAnew`.
   */
  usedBytes(isAnew?: boolean): Promise<number>;
  /** Bytes of this shard's CAR when the shard is here, as far as can be told without reading it; else undefined. */
  sizeOf(cid: string): Promise<number | undefined>;
  /**
   * As `sizeOf`, without a thread, of a shard that `list` has just named; undefined also of one that is out of sight for a moment, and where
   * the main thread may not ask. Absent where that would not be faster.
   */
  sizeNow?(cid: string): number | undefined;
  put(shard: SealedShard, options: StorePut): Promise<void>;
  /**
   * Flushes the directory in which the shard has its name: a run may have died after it named the shard and before it flushed that.
   * @returns whether the shard is still here, with all of it in its place
   */
  confirm(cid: string): Promise<boolean>;
  open(cid: string): Promise<ShardReader>;
  /** Opens what is left of a shard that cannot be opened: its good blocks. Which blocks are missing is not known then. */
  salvage(cid: string): Promise<ShardReader>;
  /** Where the shard's CAR is or would be. Absent where shards are no CARs. */
  carPath?(cid: string): string;
  /** One block, hashed, of any shard that is here; undefined when it is not here. Absent where a shard has to be opened. */
  block?(digest: Uint8Array): Promise<Uint8Array | undefined>;
  /** See `Peer.glance`. */
  glance?(cid: string, digest: Uint8Array): Promise<Uint8Array | undefined>;
  list(): AsyncIterable<string>;
  /** Removes a shard that no home has marked. It stays if a home has marked it by the time that it is out of sight. */
  remove(cid: string): Promise<'removed' | 'kept'>;
}
