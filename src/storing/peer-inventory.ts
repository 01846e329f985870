/** What each peer says that it holds, and which homes have marked it. */
import { ShardctlError } from '../core/errors.ts';
import type { Peer } from '../peer/peer.ts';
import type { Holdings } from './holdings.ts';

type OnSilent = (name: string, error: ShardctlError) => void;

/**
 * The CIDs that each peer lists; all peers are asked at once.
 * @param onSilent called for each peer that does not answer: it is not in the result @param onListed called with each CID that comes
 */
export async function inventoriesOf(
  peers: ReadonlyMap<string, Peer>,
  onSilent?: OnSilent,
  onListed?: () => void,
): Promise<Map<string, Set<string>>> {
  return await askedFor(peers, () => new Set<string>(), onSilent, onListed);
}

/** As `inventoriesOf`, of what this home holds alone: a bit for each holding, where a Set of CIDs takes 120 bytes for each that is listed. */
export async function listedOf(peers: ReadonlyMap<string, Peer>, holdings: Holdings, onSilent?: OnSilent): Promise<Map<string, Listed>> {
  return await askedFor(peers, () => new Listed(holdings), onSilent);
}

/** Which of this home's holdings a peer lists. */
export class Listed {
  readonly #holdings: Holdings;
  readonly #bits: Uint8Array;

  constructor(holdings: Holdings) {
    this.#holdings = holdings;
    this.#bits = new Uint8Array(Math.ceil(holdings.size / 8));
  }

  add(cid: string): void {
    const place = this.#holdings.placeOf(cid);
    if (place !== undefined) this.#bits[place >>> 3] = (this.#bits[place >>> 3] as number) | (1 << (place & 7));
  }

  has(cid: string): boolean {
    const place = this.#holdings.placeOf(cid);
    return place !== undefined && ((this.#bits[place >>> 3] as number) & (1 << (place & 7))) !== 0;
  }
}

async function askedFor<T extends { add(cid: string): unknown }>(
  peers: ReadonlyMap<string, Peer>,
  empty: () => T,
  onSilent: OnSilent = () => {},
  onListed: () => void = () => {},
): Promise<Map<string, T>> {
  const lists = await Promise.all(
    [...peers].map(async ([name, peer]): Promise<[string, T] | undefined> => {
      const cids = empty();
      try {
        for await (const cid of peer.list()) {
          cids.add(cid);
          onListed();
        }
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
