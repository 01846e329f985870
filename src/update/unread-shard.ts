/** Whether a snapshot that the gate could not judge, because no peer gave bytes of one of its shards, can be judged now. */
import type { SnapshotRecord } from '../core/model.ts';
import type { Index } from '../index/index.ts';
import type { Peer } from '../peer/peer.ts';

/** Another peer holds the shard, or one is set up otherwise; or it is not noted which shard it was. */
export function mayBeReadNow(
  { index, peers }: { readonly index: Index; readonly peers: ReadonlyMap<string, Peer> },
  { gate, shards }: SnapshotRecord,
): boolean {
  const lacked = shards.map((number) => index.shard(number)).find((shard) => shard?.cid === gate?.unread);
  return lacked === undefined || lacked.peers.some((name) => peers.has(name) && peers.get(name)?.givesBytes !== false);
}
