/** What `prune` minds about shards of which blocks are lost: what is left of them, and what can make them whole again, stays. */
import type { DigestMap } from '../../core/digest-map.ts';
import type { ShardRecord } from '../../core/model.ts';
import type { Index } from '../../index/index.ts';

/** What retained snapshots reach of the lost blocks of a shard. */
export interface LiveLoss {
  /** Blocks that are in no other shard either: it cannot be repacked, and only the source can bring them back. */
  readonly nowhere: number;
  /** Shards that have the others: no snapshot need name them. */
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
