/** What placing needs: sealed shards, and somebody who knows which peers have room. */
import type { DigestMap } from '../../core/digest-map.ts';
import type { Replication } from '../../core/model.ts';

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
