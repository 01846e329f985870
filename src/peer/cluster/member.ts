/** One member of an IPFS Cluster as a peer. Pins go through the Cluster's REST API, bytes through the member's Kubo where its address is known. */
import { ShardctlError } from '../../core/errors.ts';
import type { Metric } from '../../core/model.ts';
import type { Mark, Peer, PeerContact, PeerOwner, PutOptions, SealedShard, ShardBytes, ShardReader } from '../peer.ts';
import { shardName } from '../shard-name.ts';
import { holdersOf } from './api-answers.ts';
import type { Cluster, ClusterMember } from './cluster.ts';
import { marksOn, ownersIn } from './mark-metadata.ts';
import type { MemberState } from './metrics.ts';
import { addPin, dropPin, markPin } from './pin-changes.ts';
import { PINNED, pinnedOn, statusThatLasts } from './pin-confirmation.ts';
import { metadataOf, Uploads } from './uploads.ts';

/** Longest wait for a member to pin the roots. Both blocks are in the catalogue, so a member that takes longer does not have it. */
const ROOTS_MS = 30_000;

/** What the peers of one Cluster have in common. */
interface Shared {
  readonly cluster: Cluster;
  readonly uploads: Uploads;
  /** IDs by our names. */
  readonly ids: ReadonlyMap<string, string>;
}

/** The members of the Cluster, each as a peer. */
export function memberPeers(cluster: Cluster): ClusterMemberPeer[] {
  const { members } = cluster.options;
  const shared = { cluster, uploads: new Uploads(cluster), ids: new Map(members.map(({ id, name }) => [name, id])) };
  return members.map((member) => new ClusterMemberPeer(shared, member));
}

export class ClusterMemberPeer implements Peer {
  readonly kind = 'cluster';
  readonly name: string;
  readonly reserve: number;
  readonly weight: number;
  readonly drained: boolean;
  readonly givesBytes: boolean;
  readonly #shared: Shared;
  readonly #member: ClusterMember;
  /** The tags that the member gives itself, as its last metrics say. */
  #tags: Readonly<Record<string, string>> = {};

  constructor(shared: Shared, member: ClusterMember) {
    const { reserve = 0, weight = 1 } = shared.cluster.options;
    this.name = member.name;
    this.reserve = reserve;
    this.weight = weight;
    this.drained = member.drained ?? false;
    this.givesBytes = member.kubo !== undefined || shared.cluster.options.gateway !== undefined;
    this.#shared = shared;
    this.#member = member;
  }

  get tags(): Readonly<Record<string, string>> {
    return { ...this.#tags, ...this.#cluster.options.tags };
  }

  /** A full member sends no metric of its space: it has none free, and what it holds still counts. */
  async metric(): Promise<Metric> {
    const { freeBytes = 0, at, tags } = await this.#state();
    this.#tags = tags;
    const usedBytes = await this.#cluster.usage.of(this.#member.id);
    const { capacity } = this.#cluster.options;
    const room = capacity === undefined ? freeBytes : Math.min(freeBytes, capacity - usedBytes);
    return { freeBytes: Math.max(0, room), usedBytes, at: at || this.#cluster.now() };
  }

  async put(shard: SealedShard, { allocation = [], replace = false, throttle, signal }: PutOptions): Promise<void> {
    signal.throwIfAborted();
    shardName(shard.cid);
    const { uploads, ids } = this.#shared;
    const fellows = allocation.flatMap((name) => ids.get(name) ?? []);
    await uploads.put(shard, this.#member.id, fellows, { replace, throttle, signal });
  }

  async has(cid: string): Promise<boolean> {
    // Asked for one shard, the Cluster asks each holder, and would wait for the one that ails.
    if (await this.#cluster.ails()) return (await this.#cluster.inventories.of(this.#member.id)).has(shardName(cid));
    const its = await statusThatLasts(() => this.#cluster.api.status(shardName(cid)), this.#member.id);
    if (its?.status !== 'cluster_error') return its?.status === PINNED;
    throw new ShardctlError('TOO_FEW_PEERS', `peer "${this.name}" does not answer its Cluster: ${its.error}`, { retryable: true });
  }

  /** Looks in the member's inventory first, which is one question for all shards, and asks about the shard only when it is not in there. */
  async open(cid: string): Promise<ShardReader> {
    await this.#state();
    const isListed = (await this.#cluster.inventories.of(this.#member.id)).has(shardName(cid));
    if (!isListed && !(await this.has(cid))) throw new ShardctlError('NOT_FOUND', `shard ${cid} is not pinned on peer "${this.name}"`);
    return this.#member.kubo === undefined ? await this.#cluster.openElsewhere(cid, this.name) : await this.#member.kubo.open(cid);
  }

  /** None where the member's Kubo is not known. */
  async shardBytes(cid: string): Promise<readonly ShardBytes[]> {
    return (await this.#member.kubo?.shardBytes?.(cid)) ?? [];
  }

  /** Undefined where the member's Kubo is not known: its shards are opened elsewhere then. */
  async block(digest: Uint8Array): Promise<Uint8Array | undefined> {
    return await this.#member.kubo?.block?.(digest);
  }

  /** A Cluster that loses its state, for example in a power cut, leaves the pins of the members' Kubo as they are. */
  async salvage(cid: string): Promise<ShardReader> {
    const { kubo } = this.#member;
    if (kubo?.salvage === undefined) return await this.#cluster.openElsewhere(shardName(cid), this.name);
    return await kubo.salvage(cid);
  }

  async fetch(shard: Pick<SealedShard, 'cid' | 'label' | 'carBytes'>, signal: AbortSignal): Promise<void> {
    shardName(shard.cid);
    await addPin(this.#cluster, { cid: shard.cid, name: shard.label, metadata: metadataOf(shard) }, this.#member.id, signal);
    await pinnedOn(this.#cluster.api, shard.cid, this.#member.id, { signal, now: this.#cluster.now });
    this.#cluster.inventories.saw(shard.cid, this.#member.id, true);
  }

  async *list(): AsyncIterable<string> {
    await this.metric();
    yield* await this.#cluster.inventories.of(this.#member.id);
  }

  async mark(cids: readonly string[]): Promise<void> {
    const { cluster } = this.#shared;
    await this.#state();
    await cluster.describe();
    for (const cid of cids) await markPin(cluster, shardName(cid), this.#member.id);
  }

  async remove(cid: string, owner = this.#cluster.options.owner.id): Promise<'removed' | 'kept'> {
    const result = await dropPin(this.#cluster, shardName(cid), this.#member.id, owner);
    this.#shared.uploads.forget(cid, this.#member.id);
    return result;
  }

  async owners(): Promise<readonly PeerOwner[]> {
    return await ownersIn(this.#cluster.api, this.marks());
  }

  marks(): AsyncIterable<Mark> {
    return marksOn(this.#cluster.api, this.#member.id);
  }

  /** When the Cluster gives a shard to others, it drops a silent holder from the pin, and has it unpin the shard when it answers again. */
  async keeps(cid: string): Promise<boolean> {
    const holders = holdersOf(await this.#cluster.api.pin(shardName(cid)));
    return holders === 'everywhere' || holders.includes(this.#member.id);
  }

  async pinRoots(repository: string, cids: readonly string[]): Promise<void> {
    await this.#state();
    const { cluster, ids } = this.#shared;
    await cluster.roots.pin(repository, cids, this.#member.id, ids.size);
    // Roots are pinned on every member, so the Cluster would wait for the one that ails. The next run looks whether they are pinned.
    if (await cluster.ails()) return;
    const options = { stallMs: ROOTS_MS, now: cluster.now };
    await Promise.all(cids.map((cid) => pinnedOn(cluster.api, cid, this.#member.id, options)));
  }

  async keepRoots(repositories: ReadonlySet<string>): Promise<void> {
    await this.#state();
    await this.#shared.cluster.roots.keepOnly(repositories);
  }

  async reclaim(): Promise<void> {
    if (this.#member.kubo?.reclaim !== undefined) await this.#member.kubo.reclaim();
    else await this.#cluster.collectGarbage();
  }

  async contacts(): Promise<readonly PeerContact[]> {
    const { id, kubo } = this.#member;
    if (kubo?.contacts !== undefined) return await kubo.contacts();
    const contact = (await this.#cluster.contacts.all()).get(id);
    return contact === undefined ? [] : [contact];
  }

  async close(): Promise<void> {
    await this.#cluster.close();
  }

  /** @throws ShardctlError `TOO_FEW_PEERS` when it cannot be counted on */
  async #state(): Promise<MemberState> {
    const state = await this.#cluster.metrics.of(this.#member.id);
    if (state.alive) return state;
    const why = state.ailment === undefined ? ' does not answer the other members of its Cluster' : `: ${state.ailment.why}`;
    throw new ShardctlError('TOO_FEW_PEERS', `peer "${this.name}"${why}`, {
      hint: `start it again; if it is gone for good: \`shardctl peers rm ${this.name} --force\`, then \`shardctl repair\``,
      retryable: true,
    });
  }

  get #cluster(): Cluster {
    return this.#shared.cluster;
  }
}
