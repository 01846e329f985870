/**
 * Which shards may be counted on: those that some peer lists which answers now. What no peer lists is not there, whatever the index says.
 */
import { listed, shellWord } from '../core/display.ts';
import { ShardctlError } from '../core/errors.ts';
import type { PlacedShard } from '../core/model.ts';
import { endsWithin } from '../core/waiting.ts';
import type { Index } from '../index/index.ts';
import type { Peer } from '../peer/peer.ts';
import { inventoriesOf } from './peer-inventory.ts';

/**
 * A peer that failed and is to list its shards again gets this long from one to the next: the end of a run does not wait for one that is
 * frozen, and does for one that has many, or slow disks.
 */
const PATIENCE_MS = 20_000;

export class UsableShards {
  readonly #index: Index;
  readonly #peers: ReadonlyMap<string, Peer>;
  /** CIDs of shards by peer, for the peers that answered. */
  readonly #inventories = new Map<string, Set<string>>();
  /** Why others did not answer. */
  readonly #reasons: Map<string, string>;

  /**
   * Asks the peers for their lists, also those that are being drained.
   * @param silent peers that are known not to answer, and why: they are not asked
   */
  static async load(index: Index, peers: ReadonlyMap<string, Peer>, silent: ReadonlyMap<string, string>): Promise<UsableShards> {
    const usableShards = new UsableShards(index, peers, silent);
    const asked = [...peers.values()].filter(({ name }) => !silent.has(name));
    // Each by itself: the list of a peer that answers counts at once, also when another one hangs until nobody waits any more.
    await Promise.all(asked.map((peer) => usableShards.#ask(peer)));
    return usableShards;
  }

  private constructor(index: Index, peers: ReadonlyMap<string, Peer>, silent: ReadonlyMap<string, string>) {
    this.#index = index;
    this.#reasons = new Map(silent);
    this.#peers = peers;
  }

  /** Peers that are recorded to have the shard and list it. */
  holdersOf(shard: PlacedShard): string[] {
    return shard.peers.filter((name) => this.#inventories.get(name)?.has(shard.cid));
  }

  /** Counts the shard's recorded replicas, without those that a peer which answers does not list. */
  replicas(number: number): number {
    const shard = this.#index.shard(number);
    if (shard === undefined) return 0;
    return shard.peers.filter((name) => this.#isSilent(name) || this.#inventories.get(name)?.has(shard.cid) === true).length;
  }

  /** Adds a shard that these peers were seen to have after they gave their lists. */
  placed({ cid, peers }: Pick<PlacedShard, 'cid' | 'peers'>): void {
    for (const name of peers) {
      const inventory = this.#inventories.get(name) ?? new Set<string>();
      this.#inventories.set(name, inventory.add(cid));
    }
  }

  /** Asks peers for their lists again that have failed since they gave them: what they do not list now, or not in time, is not there. */
  async askAgain(names: Iterable<string>): Promise<void> {
    const asked = [...names].flatMap((name) => (this.#inventories.delete(name) ? (this.#peers.get(name) ?? []) : []));
    await Promise.all(asked.map((peer) => this.#askWhileListing(peer)));
  }

  /** Whether any peer has the shard. */
  readonly isHeld = (number: number): boolean => {
    const shard = this.#index.shard(number);
    return shard !== undefined && this.holdersOf(shard).length > 0;
  };

  /**
   * Those of the shards that are lost: each peer that is recorded to have one answers and does not list it, or is not set up any more.
   * @throws ShardctlError `TOO_FEW_PEERS` when a peer that does not answer may have the only copy: nobody wants a whole mirror to be
   * stored again because a disk is not mounted
   */
  lost(shards: readonly number[]): number[] {
    const missing = shards.filter((number) => !this.isHeld(number));
    const silent = this.silentOf(missing);
    const [first] = silent;
    if (first === undefined) return missing;
    const reasons = silent.flatMap((name) => this.#reasons.get(name) ?? []);
    const why = reasons.length === 0 ? '' : `: ${listed(reasons, '; ')}`;
    throw new ShardctlError(
      'TOO_FEW_PEERS',
      `${missing.length === 1 ? 'a shard of the last snapshot is' : `${missing.length} shards of the last snapshot are`} only on ${listed(silent)}, which cannot be reached${why}`,
      {
        hint: `mount or repair it, then run the same command again; if it is gone for good, \`shardctl peers rm ${shellWord(first)} --force\`: the shards that it had are then stored again elsewhere`,
      },
    );
  }

  /** Peers that are recorded to have some of the shards and do not answer. */
  silentOf(shards: readonly number[]): string[] {
    const names = shards.flatMap((number) => this.#index.shard(number)?.peers ?? []);
    return [...new Set(names)].filter((name) => this.#isSilent(name));
  }

  async #ask(peer: Peer, onListed?: () => void): Promise<void> {
    const onSilent = (name: string, { message }: ShardctlError) => void this.#reasons.set(name, message);
    for (const [name, cids] of await inventoriesOf(new Map([[peer.name, peer]]), onSilent, onListed)) this.#inventories.set(name, cids);
  }

  async #askWhileListing(peer: Peer): Promise<void> {
    let listed = 0;
    const list = this.#ask(peer, () => void listed++);
    for (let before = -1; before !== listed; ) {
      before = listed;
      if (await endsWithin(PATIENCE_MS, list)) return;
    }
  }

  #isSilent(name: string): boolean {
    return this.#peers.has(name) && !this.#inventories.has(name);
  }
}
