/**
 * What the members of one IPFS Cluster share: its REST API, the metrics of all members, and the pins. One pin says which members have a
 * shard, so putting it on one member and removing it from another both change that pin: they exclude each other (`pinMutex`).
 */
import { ShardctlError } from '../../core/errors.ts';
import type { Owner } from '../../core/model.ts';
import { KeyedMutex } from '../keyed-mutex.ts';
import type { PeerSettings, ShardReader } from '../peer.ts';
import type { ClusterApi } from './api.ts';
import { ClusterRoots } from './cluster-roots.ts';
import { Contacts } from './contacts.ts';
import { Health, type MemberKubo } from './health.ts';
import { Inventories } from './inventories.ts';
import { ALL, describe } from './mark-metadata.ts';
import { Metrics } from './metrics.ts';
import { Usage } from './usage.ts';

/** Members of a Cluster that has just started get to know one another within this time. */
const START_WAIT_MS = 20_000;

export interface ClusterMember {
  /** Its ID in the Cluster, which is not that of its Kubo. */
  readonly id: string;
  /** Its name as a peer. */
  readonly name: string;
  /** Its Kubo, when the address is known. Shards are read from it, and sent to it: twice as fast, and safe from garbage collection. */
  readonly kubo?: MemberKubo | undefined;
  readonly drained?: boolean | undefined;
}

export interface ClusterOptions extends PeerSettings {
  /** The home whose shards and roots are marked as its own. */
  readonly owner: Owner;
  readonly api: ClusterApi;
  readonly members: readonly ClusterMember[];
  /** Tags of all members, beside those that they give themselves. */
  readonly tags: Readonly<Record<string, string>>;
  /** Most bytes that shards may take on each member; on all members together, when the whole Cluster is one peer. */
  readonly capacity?: number | undefined;
  /** Only used when the whole Cluster is one peer. */
  readonly drained?: boolean | undefined;
  /** Reads a shard through a gateway, which may have it from anybody. */
  readonly gateway?: ((cid: string) => Promise<ShardReader>) | undefined;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  /** Longest wait for the metrics of all members, when they are first asked for. [20 s] */
  readonly startWaitMs?: number | undefined;
}

export class Cluster {
  readonly options: ClusterOptions;
  readonly api: ClusterApi;
  readonly metrics: Metrics;
  readonly pinMutex = new KeyedMutex();
  readonly usage: Usage;
  readonly inventories: Inventories;
  readonly roots: ClusterRoots;
  readonly contacts: Contacts;
  readonly now: () => number;
  /** Health of members that are none of our peers. */
  readonly #strangers: Health;
  readonly #members: ReadonlyMap<string, ClusterMember>;
  #collecting: Promise<void> | undefined;
  #recovering: Promise<void> | undefined;
  #describing: Promise<void> | undefined;
  readonly #marksInKubo = new Map<string, Promise<ReadonlySet<string>>>();

  constructor(options: ClusterOptions) {
    const { api, members, now, startWaitMs = START_WAIT_MS } = options;
    this.options = options;
    this.api = api;
    this.now = now;
    const kubos = new Map(members.flatMap(({ id, kubo }) => (kubo === undefined ? [] : [[id, kubo] as const])));
    const health = new Health({ api, kubos, now });
    this.#strangers = new Health({ api, kubos: new Map(), now });
    this.metrics = new Metrics({ api, expected: members.map(({ id }) => id), health, startWaitMs, now });
    this.usage = new Usage(api);
    this.contacts = new Contacts(api);
    this.inventories = new Inventories({ api, metrics: this.metrics, kubos, nameOf: (id) => this.nameOf(id), now });
    this.roots = new ClusterRoots(api, this.pinMutex, options.owner.id);
    this.#members = new Map(members.map((member) => [member.id, member]));
  }

  member(id: string): ClusterMember | undefined {
    return this.#members.get(id);
  }

  /** What people call a member: our name for it, or its ID. */
  nameOf(id: string): string {
    return this.#members.get(id)?.name ?? id;
  }

  /** Writes the description of this home into the Cluster, once a session, before the first mark. */
  async describe(): Promise<void> {
    this.#describing ??= describe(this.api, this.options.owner, this.now()).catch((error: unknown) => {
      this.#describing = undefined;
      throw error;
    });
    await this.#describing;
  }

  /**
   * Whether some home that uses the Kubo of this member directly counts on the shard there; of any member if it is `ALL`. Such a home has
   * its marks in that Kubo, which a Cluster does not look at when it unpins. Each Kubo with a known address is asked once a session.
   */
  async isMarkedInKubo(cid: string, member: string): Promise<boolean> {
    for (const { id, kubo } of this.#members.values()) {
      if (kubo === undefined || (member !== ALL && member !== id)) continue;
      const marked = this.#marksInKubo.get(id) ?? markedIn(kubo);
      this.#marksInKubo.set(id, marked);
      if ((await marked).has(cid)) return true;
    }
    return false;
  }

  /** Whether some member sends pings and cannot be counted on: the Cluster is slow to answer any question for which it asks that member. */
  async ails(): Promise<boolean> {
    return [...(await this.metrics.all()).values()].some(({ ailment }) => ailment !== undefined);
  }

  /** Whether a member that sends pings can be counted on. Our own are taken to be well: their state was asked for before. */
  async isWell(id: string): Promise<boolean> {
    return this.#members.has(id) || (await this.#strangers.ailing([id])).size === 0;
  }

  /** Has all members recover all pins, once a session: a member that lacks one shard mostly lacks many, and fetches many at once. */
  async recoverAll(): Promise<void> {
    if (await this.ails()) return;
    this.#recovering ??= this.api.recoverAll();
    await this.#recovering;
  }

  /** Has every member collect garbage. A call that comes meanwhile waits for the same collection. */
  async collectGarbage(): Promise<void> {
    this.#collecting ??= this.api.collectGarbage().finally(() => {
      this.#collecting = undefined;
    });
    await this.#collecting;
  }

  /** Opens a shard through the gateway. @throws ShardctlError that says how to set one up, when there is none */
  async openElsewhere(cid: string, name: string): Promise<ShardReader> {
    if (this.options.gateway !== undefined) return await this.options.gateway(cid);
    throw new ShardctlError('NOT_READABLE', `nothing can be read from peer "${name}": the address of its Kubo is not known`, {
      hint: 'say where it is: run `shardctl peers add cluster` again with --kubo MEMBER=URL, or with a gateway',
    });
  }

  async close(): Promise<void> {
    await this.api.close();
    for (const { kubo } of this.#members.values()) await kubo?.close?.();
  }
}

async function markedIn(kubo: MemberKubo): Promise<ReadonlySet<string>> {
  const cids = new Set<string>();
  for await (const { cid } of kubo.marks()) cids.add(cid);
  return cids;
}
