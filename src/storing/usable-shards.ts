/** Which shards are on peers that answer now, by the peers' own word. What nobody has is not there, whatever the index says. */
import { shellWord } from '../core/display.ts';
import { ShardctlError } from '../core/errors.ts';
import type { PlacedShard } from '../core/model.ts';
import { endsWithin } from '../core/waiting.ts';
import type { Index } from '../index/index.ts';
import type { Peer } from '../peer/peer.ts';
import { inventoriesOf } from './peer-inventory.ts';

/** So long a peer that failed has for its list: a run that comes to its end does not wait for one that is frozen. */
const PATIENCE_MS = 20_000;

export class UsableShards {
  readonly #index: Index;
  readonly #peers: ReadonlyMap<string, Peer>;
  /** Shards by peer, for those that answered. */
  readonly #inventories = new Map<string, Set<string>>();
  /** Why others did not. */
  readonly #reasons: Map<string, string>;

  /** Asks the peers for their lists, those that are being drained too. @param silent those that need not be asked, and why */
  static async load(index: Index, peers: ReadonlyMap<string, Peer>, silent: ReadonlyMap<string, string>): Promise<UsableShards> {
    const usableShards = new UsableShards(index, peers, silent);
    await usableShards.#ask([...peers.keys()].filter((name) => !silent.has(name)));
    return usableShards;
  }

  private constructor(index: Index, peers: ReadonlyMap<string, Peer>, silent: ReadonlyMap<string, string>) {
    this.#index = index;
    this.#reasons = new Map(silent);
    this.#peers = peers;
  }

  /** Peers that have the shard. */
  holdersOf(shard: PlacedShard): string[] {
    return shard.peers.filter((name) => this.#inventories.get(name)?.has(shard.cid));
  }

  /** Its replicas: on peers that have it, and on those that do not answer now and should have it. */
  replicas(number: number): number {
    const { cid, peers = [] } = this.#index.shard(number) ?? {};
    return peers.filter((name) => this.#isSilent(name) || this.#inventories.get(name)?.has(cid as string) === true).length;
  }

  /** These peers were seen to have it a moment ago, after their lists were read. */
  placed({ cid, peers }: Pick<PlacedShard, 'cid' | 'peers'>): void {
    for (const name of peers) {
      const held = this.#inventories.get(name) ?? new Set<string>();
      this.#inventories.set(name, held.add(cid));
    }
  }

  /** Asks peers again that failed since: what they do not list now, or not in time, is not there. */
  async askAgain(names: Iterable<string>): Promise<void> {
    const asked = [...names].filter((name) => this.#inventories.delete(name));
    if (asked.length === 0) return;
    await endsWithin(PATIENCE_MS, this.#ask(asked));
  }

  readonly isHeld = (number: number): boolean => {
    const shard = this.#index.shard(number);
    return shard !== undefined && this.holdersOf(shard).length > 0;
  };

  /**
   * Those of the shards that are lost: each peer that should have them answers, and has them not, or is no peer any more.
   * @throws ShardctlError `TOO_FEW_PEERS` when a peer that does not answer may have the only copy: to store all that again
   * because a disk is not mounted is nothing that anybody wants
   */
  lost(shards: readonly number[]): number[] {
    const missing = shards.filter((number) => !this.isHeld(number));
    const silent = this.silentOf(missing);
    if (silent.length === 0) return missing;
    const reasons = silent.flatMap((name) => this.#reasons.get(name) ?? []);
    const why = reasons.length === 0 ? '' : `: ${reasons.join('; ')}`;
    throw new ShardctlError(
      'TOO_FEW_PEERS',
      `${missing.length} shards of the last snapshot are only on ${silent.join(', ')}, which cannot be reached${why}`,
      {
        hint: `mount or repair it, then run the same command again; if it is gone for good, \`shardctl peers rm ${shellWord(silent[0] as string)} --force\`: what it had is then stored again elsewhere`,
      },
    );
  }

  /** Peers that should have some of the shards and do not answer. */
  silentOf(shards: readonly number[]): string[] {
    const names = shards.flatMap((number) => this.#index.shard(number)?.peers ?? []);
    return [...new Set(names)].filter((name) => this.#isSilent(name));
  }

  async #ask(names: Iterable<string>): Promise<void> {
    const asked = new Map([...names].map((name) => [name, this.#peers.get(name) as Peer]));
    const onSilent = (name: string, { message }: ShardctlError) => void this.#reasons.set(name, message);
    for (const [name, cids] of await inventoriesOf(asked, onSilent)) this.#inventories.set(name, cids);
  }

  #isSilent(name: string): boolean {
    return this.#peers.has(name) && !this.#inventories.has(name);
  }
}
