/**
 * The inventories of all members, asked for once. Each run asks the members for their inventories one after the other, and the Cluster's
 * answer is about all members each time.
 */
import { ShardctlError } from '../../core/errors.ts';
import { isShardName } from '../shard-name.ts';
import type { ClusterApi } from './api.ts';
import { holdersOf } from './api-answers.ts';
import { isRoot } from './cluster-roots.ts';
import type { MemberKubo } from './health.ts';
import type { Metrics } from './metrics.ts';
import { PINNED } from './pin-confirmation.ts';

/** For this time an answer serves for the other members, too; or for this many times what the answer took, if that is longer. */
const FRESH_MS = 2000;
const FRESH_TIMES = 20;

/** By ID of the member the CIDs of its shards, or a text that says why they are not known. */
type Lists = Map<string, Set<string> | string>;

export interface InventoriesOptions {
  readonly api: ClusterApi;
  readonly metrics: Metrics;
  /** By ID of the member, where the address is known. */
  readonly kubos: ReadonlyMap<string, MemberKubo>;
  /** What people call a member. */
  readonly nameOf: (id: string) => string;
  readonly now: () => number;
}

export class Inventories {
  readonly #options: InventoriesOptions;
  #lists: Promise<Lists> | undefined;
  /** The lists, and the time until which they are used. */
  #read: { readonly lists: Lists; readonly until: number } | undefined;
  /** ID and CID of shards that were removed in this session: for a moment after that the Cluster's list still has them. */
  readonly #taken = new Set<string>();

  constructor(options: InventoriesOptions) {
    this.#options = options;
  }

  /** CIDs of shards on one member. @throws ShardctlError `TOO_FEW_PEERS` when they are not known now */
  async of(id: string): Promise<ReadonlySet<string>> {
    const list = (await this.#all()).get(id) ?? new Set();
    if (typeof list !== 'string') return list;
    throw new ShardctlError('TOO_FEW_PEERS', `what peer "${this.#options.nameOf(id)}" holds is not known: ${list}`, {
      hint: 'the other members drop one that hangs within half a minute: then run the same command again',
      retryable: true,
    });
  }

  /** IDs of members that are known to have a shard. */
  async holders(cid: string): Promise<ReadonlySet<string>> {
    return new Set([...(await this.#all())].flatMap(([id, list]) => (typeof list !== 'string' && list.has(cid) ? [id] : [])));
  }

  /** CIDs of shards on any member, with the number of members that have each. */
  async anywhere(): Promise<ReadonlyMap<string, number>> {
    const counts = new Map<string, number>();
    for (const list of (await this.#all()).values()) {
      if (typeof list !== 'string') for (const cid of list) counts.set(cid, (counts.get(cid) ?? 0) + 1);
    }
    return counts;
  }

  /** Notes that a member has been seen to have a shard, or not to have it any more. */
  saw(cid: string, id: string, isThere: boolean): void {
    if (isThere) this.#taken.delete(`${id} ${cid}`);
    else this.#taken.add(`${id} ${cid}`);
    const list = this.#read?.lists.get(id) ?? new Set();
    if (this.#read === undefined) this.changed();
    else if (typeof list !== 'string') {
      this.#read.lists.set(id, list);
      if (isThere) list.add(cid);
      else list.delete(cid);
    }
  }

  /** Notes that pins were made or removed: the next question asks the Cluster again. */
  changed(): void {
    this.#lists = undefined;
    this.#read = undefined;
  }

  async #all(): Promise<Lists> {
    const { now } = this.#options;
    if (this.#read !== undefined && now() > this.#read.until) this.changed();
    const asked = now();
    const pending = this.#lists ?? this.#ask();
    this.#lists = pending;
    try {
      const lists = await pending;
      // Not kept when something has changed meanwhile.
      if (this.#lists === pending) this.#read ??= { lists, until: now() + Math.max(FRESH_MS, FRESH_TIMES * (now() - asked)) };
      return lists;
    } catch (error) {
      // A failure is not remembered: the next call asks again.
      if (this.#lists === pending) this.changed();
      throw error;
    }
  }

  async #ask(): Promise<Lists> {
    const { metrics, kubos } = this.#options;
    const states = await metrics.all();
    const ailing = [...states].find(([, { ailment }]) => ailment?.hangs) ?? [...states].find(([, { ailment }]) => ailment !== undefined);
    if (ailing === undefined) return await this.#byCluster();
    const [id, { ailment }] = ailing;
    const areKnown = [...states].every(([other, { alive }]) => !alive || kubos.has(other));
    return ailment?.hangs || areKnown ? await this.#byKubos(id) : await this.#byCluster();
  }

  /** The Cluster asks every member for all it has, and answers when the last of them has. */
  async #byCluster(): Promise<Lists> {
    const lists = new Map<string, Set<string> | string>();
    for await (const { cid, metadata, peer_map } of this.#options.api.pinned()) {
      for (const [id, { status, error }] of Object.entries(peer_map)) {
        // The member could not be asked: the Cluster says so for each of its pins.
        if (status === 'cluster_error') lists.set(id, error);
        if (status !== PINNED || !isShardName(cid) || isRoot(metadata)) continue;
        const list = lists.get(id) ?? new Set();
        lists.set(id, list);
        if (typeof list !== 'string' && !this.#taken.has(`${id} ${cid}`)) list.add(cid);
      }
    }
    return lists;
  }

  /**
   * While one member hangs, a Cluster answers nothing about any of them, and it asks a Kubo that has failed at most once a second. So the
   * list of what the Cluster wants is compared with what each Kubo has pinned. @param ailing member for which the Cluster would wait
   */
  async #byKubos(ailing: string): Promise<Lists> {
    const { api, metrics, kubos, nameOf } = this.#options;
    const states = await metrics.all();
    const wanted = new Map([...states.keys()].map((id) => [id, new Set<string>()]));
    for await (const pin of api.pins()) {
      if (!isShardName(pin.cid) || isRoot(pin.metadata) || pin.mode === 'direct') continue;
      const holders = holdersOf(pin);
      for (const id of holders === 'everywhere' ? wanted.keys() : holders) wanted.get(id)?.add(pin.cid);
    }
    const unknown = `its Cluster waits for ${nameOf(ailing)}, which hangs`;
    return new Map(
      await Promise.all(
        [...wanted].map(async ([id, cids]): Promise<[string, Set<string> | string]> => {
          const kubo = kubos.get(id);
          if (kubo === undefined || states.get(id)?.alive !== true) return [id, states.get(id)?.ailment?.why ?? unknown];
          try {
            const list = new Set<string>();
            for await (const cid of kubo.list()) if (cids.has(cid)) list.add(cid);
            return [id, list];
          } catch (error) {
            if (error instanceof ShardctlError) return [id, error.message];
            throw error;
          }
        }),
      ),
    );
  }
}
