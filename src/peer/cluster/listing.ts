/**
 * What is pinned where, asked once for all members: each run asks every one of them for its list, one after the other, and the
 * Cluster's answer is about all of them each time.
 */
import { isShardName } from '../shard-name.ts';
import type { ClusterApi } from './api.ts';
import { isRoot } from './roots.ts';
import { PINNED } from './watch.ts';

/** Lists that are asked for within this time are parts of one answer. */
const FRESH_MS = 2000;

/** CIDs of shards, by ID of the member that says it has them. */
type Lists = ReadonlyMap<string, readonly string[]>;

export class Listing {
  readonly #api: ClusterApi;
  readonly #now: () => number;
  #lists: Promise<Lists> | undefined;
  /** When they were here. */
  #at = Number.POSITIVE_INFINITY;

  constructor(api: ClusterApi, now: () => number) {
    this.#api = api;
    this.#now = now;
  }

  /** CIDs of shards on one member. */
  async of(id: string): Promise<readonly string[]> {
    return (await this.#all()).get(id) ?? [];
  }

  /** CIDs of shards on any member, each once. */
  async anywhere(): Promise<ReadonlySet<string>> {
    return new Set([...(await this.#all()).values()].flat());
  }

  /** A pin was made or removed: the next list is a new one. */
  changed(): void {
    this.#lists = undefined;
    this.#at = Number.POSITIVE_INFINITY;
  }

  async #all(): Promise<Lists> {
    if (this.#now() - this.#at > FRESH_MS) this.changed();
    const lists = this.#lists ?? this.#read();
    this.#lists = lists;
    try {
      const read = await lists;
      if (this.#lists === lists && this.#at === Number.POSITIVE_INFINITY) this.#at = this.#now();
      return read;
    } catch (error) {
      // Whoever asks next asks anew.
      if (this.#lists === lists) this.changed();
      throw error;
    }
  }

  async #read(): Promise<Lists> {
    const lists = new Map<string, string[]>();
    for await (const { cid, metadata, peer_map } of this.#api.pinned()) {
      if (!isShardName(cid) || isRoot(metadata)) continue;
      for (const [id, { status }] of Object.entries(peer_map)) {
        if (status !== PINNED) continue;
        const list = lists.get(id) ?? [];
        lists.set(id, list);
        list.push(cid);
      }
    }
    return lists;
  }
}
