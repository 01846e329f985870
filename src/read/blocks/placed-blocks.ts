/** Reads any block that is in a shard which the index lists. */
import type { Index } from '../../index/index.ts';
import type { Peer } from '../../peer/peer.ts';
import { BlockSource, type BlockSourceOptions } from './block-source.ts';

/** Reads from shards known to be damaged or lost only when no other shard has the block: their intact blocks can still be read. The caller closes the source. */
export function placedBlocks(
  index: Index,
  peers: ReadonlyMap<string, Peer>,
  options: Pick<BlockSourceOptions, 'onTrouble' | 'signal'> = {},
): BlockSource {
  const locate = (digest: Uint8Array, except: ReadonlySet<string>) => {
    const isOther = (shard: number) => !except.has(index.shard(shard)?.cid ?? '');
    const number = index.shardOf(digest, 0, except.size === 0 ? undefined : isOther) ?? index.damagedShardOf(digest, isOther);
    return number === undefined ? undefined : index.shard(number);
  };
  return new BlockSource({ ...options, locate, peers });
}
