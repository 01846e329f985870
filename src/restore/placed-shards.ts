/** The shards of a home, for whoever reads them as streams: which of them has a block, by the index, and where their copies are. */
import { ShardctlError } from '../core/errors.ts';
import type { Index } from '../index/index.ts';
import type { Peer, ShardBytes } from '../peer/peer.ts';
import type { BlockSource } from '../read/blocks/block-source.ts';
import type { ShardAccess } from './shard-tables.ts';

export function placedShards(index: Index, peers: ReadonlyMap<string, Peer>, blocks: BlockSource): ShardAccess {
  const numbers = new Map<string, number>();
  return {
    shardOf(digest) {
      const number = index.shardOf(digest);
      const cid = number === undefined ? undefined : index.shard(number)?.cid;
      if (number !== undefined && cid !== undefined) numbers.set(cid, number);
      return cid;
    },
    contents: (cid) => blocks.contents({ cid, peers: peersOf(cid) }),
    async streams(cid) {
      const best: ShardBytes[] = [];
      const others: ShardBytes[] = [];
      for (const name of peersOf(cid)) {
        try {
          const [first, ...rest] = (await peers.get(name)?.shardBytes?.(cid)) ?? [];
          if (first !== undefined) best.push(first);
          others.push(...rest);
        } catch (error) {
          // A peer that is not there: what no other copy has is read by single blocks, which tells of it.
          if (!(error instanceof ShardctlError)) throw error;
        }
      }
      return [...best, ...others];
    },
  };

  function peersOf(cid: string): readonly string[] {
    const number = numbers.get(cid);
    return number === undefined ? [] : (index.shard(number)?.peers ?? []);
  }
}
