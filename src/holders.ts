/** Which shards are on peers that answer now, by the peers' own word. What nobody has is not there, whatever the index says. */
import { ShardctlError } from './errors.ts';
import { heldBy } from './held.ts';
import type { Index } from './index-store/index.ts';
import type { ShardRecord } from './model.ts';
import type { Peer } from './peer/peer.ts';

export class Holders {
  readonly #index: Index;
  readonly #peers: ReadonlyMap<string, Peer>;
  /** Shards by peer, for those that answered. */
  readonly #held = new Map<string, ReadonlySet<string>>();

  /** Asks each of the peers that answer for its list. @param answering names of peers */
  static async load(index: Index, peers: ReadonlyMap<string, Peer>, answering: Iterable<string>): Promise<Holders> {
    const holders = new Holders(index, peers);
    const asked = new Map([...answering].map((name) => [name, peers.get(name) as Peer]));
    for (const [name, cids] of await heldBy(asked)) holders.#held.set(name, cids);
    return holders;
  }

  private constructor(index: Index, peers: ReadonlyMap<string, Peer>) {
    this.#index = index;
    this.#peers = peers;
  }

  /** Peers that have the shard. */
  of(shard: ShardRecord): string[] {
    return shard.peers.filter((name) => this.#held.get(name)?.has(shard.cid));
  }

  readonly isHeld = (number: number): boolean => {
    const shard = this.#index.shard(number);
    return shard !== undefined && this.of(shard).length > 0;
  };

  /**
   * Those of the shards that are lost: each peer that should have them answers, and has them not, or is no peer any more.
   * @throws ShardctlError `TOO_FEW_PEERS` when a peer that does not answer may have the only copy: to store all that again
   * because a disk is not mounted is nothing that anybody wants
   */
  lost(shards: readonly number[]): number[] {
    const missing = shards.filter((number) => !this.isHeld(number));
    const silent = new Set(missing.flatMap((number) => this.#index.shard(number)?.peers ?? []).filter((name) => this.#isSilent(name)));
    if (silent.size === 0) return missing;
    const names = [...silent].join(', ');
    throw new ShardctlError(
      'TOO_FEW_PEERS',
      `${missing.length} shards of the last snapshot are only on ${names}, which cannot be reached`,
      {
        hint: 'mount or repair it, then run the same command again; or take it out of config.json, and what it had is stored again elsewhere',
      },
    );
  }

  #isSilent(name: string): boolean {
    return this.#peers.has(name) && !this.#held.has(name);
  }
}
