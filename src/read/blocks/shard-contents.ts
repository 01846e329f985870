/** Reads which blocks a shard holds from the first of its replicas that can be opened and read. */
import { ShardctlError } from '../../core/errors.ts';
import type { PlacedShard } from '../../core/model.ts';
import type { Peer, ShardContents, ShardReader } from '../../peer/peer.ts';

/** Runs `work` on one replica after another until it succeeds on one. @throws ShardctlError of the last replica, when it fails on all */
export async function onReplica<T>(
  shard: PlacedShard,
  peers: ReadonlyMap<string, Peer>,
  work: (reader: ShardReader) => Promise<T>,
): Promise<T> {
  let failure = new ShardctlError('TOO_FEW_PEERS', `no peer that is set up holds shard ${shard.cid}`, {
    hint: 'set its peers up again with `shardctl peers add`',
  });
  for (const name of shard.peers) {
    let reader: ShardReader | undefined;
    try {
      reader = await peers.get(name)?.open(shard.cid);
      if (reader !== undefined) return await work(reader);
    } catch (error) {
      if (!(error instanceof ShardctlError)) throw error;
      failure = error;
    } finally {
      await reader?.close();
    }
  }
  throw failure;
}

export function contentsOn(shard: PlacedShard, peers: ReadonlyMap<string, Peer>): Promise<ShardContents> {
  return onReplica(shard, peers, async (reader) => reader.contents());
}
