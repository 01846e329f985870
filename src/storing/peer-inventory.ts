/** What each peer says that it holds, and which homes have marked it. */
import { ShardctlError } from '../core/errors.ts';
import type { Peer } from '../peer/peer.ts';

/**
 * The CIDs that each peer lists; all peers are asked at once.
 * @param onSilent called for each peer that does not answer: it is not in the result
 */
export async function inventoriesOf(
  peers: ReadonlyMap<string, Peer>,
  onSilent: (name: string, error: ShardctlError) => void = () => {},
): Promise<Map<string, Set<string>>> {
  const lists = await Promise.all(
    [...peers].map(async ([name, peer]): Promise<[string, Set<string>] | undefined> => {
      const cids = new Set<string>();
      try {
        for await (const cid of peer.list()) cids.add(cid);
        return [name, cids];
      } catch (error) {
        if (!(error instanceof ShardctlError)) throw error;
        onSilent(name, error);
        return undefined;
      }
    }),
  );
  return new Map(lists.filter((list) => list !== undefined));
}

/**
 * IDs of the homes that have marked a shard on this peer, by the shard's CID.
 * @param marked what is known of other peers: is added to, and returned
 */
export async function ownersByShard(peer: Peer, marked = new Map<string, Set<string>>()): Promise<Map<string, Set<string>>> {
  for await (const { cid, owner } of peer.marks()) marked.set(cid, (marked.get(cid) ?? new Set()).add(owner));
  return marked;
}
