/** Shards of which blocks are lost: `prune` keeps what is left of them, and other shards that have the blocks which they lost. */
import type { DigestMap } from '../../core/digest-map.ts';
import type { ShardRecord } from '../../core/model.ts';
import type { Index } from '../../index/index.ts';

/** Which of a shard's lost blocks retained snapshots reach. */
export interface LiveLoss {
  /** Blocks that no other shard has: the shard cannot be repacked, and only adding the source again brings them back. */
  readonly nowhere: number;
  /** Shards that have the other blocks; they stay even if no snapshot names them. */
  readonly elsewhere: ReadonlySet<number>;
}

export function liveLossOf({ bad = [] }: ShardRecord, index: Index, live: DigestMap): LiveLoss {
  const elsewhere = new Set<number>();
  let nowhere = 0;
  for (const hex of bad) {
    const digest = Buffer.from(hex, 'hex');
    if (live.get(digest) === undefined) continue;
    const other = index.shardOf(digest);
    if (other === undefined) nowhere++;
    else elsewhere.add(other);
  }
  return { nowhere, elsewhere };
}
