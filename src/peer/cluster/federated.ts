/**
 * A whole IPFS Cluster as one peer: it chooses the members itself, by its own allocators and replication, so that shards are
 * spread over several Clusters. A shard is there when as many members have it as the Cluster was asked for.
 */
import { ShardctlError } from '../../errors.ts';
import type { Metric, Replication } from '../../model.ts';
import type { Mark, Peer, PeerOwner, PutOptions, SealedShard, ShardReader } from '../peer.ts';
import { shardName } from '../shard-name.ts';
import { shardBody } from './car-body.ts';
import type { Cluster } from './cluster.ts';
import { ALL, marksOn, ownersIn, withMark } from './marks.ts';
import { canBeAllocated, dropWhole, markPin } from './pins.ts';
import { metadataOf } from './upload.ts';
import { countPinned, PINNED, pinnedOnSome } from './watch.ts';

export class FederatedPeer implements Peer {
  readonly kind = 'cluster';
  readonly name: string;
  readonly tags: Readonly<Record<string, string>>;
  readonly reserve: number;
  readonly weight: number;
  readonly drained: boolean;
  readonly #cluster: Cluster;
  readonly #replication: Replication | undefined;

  /** @param replication inside the Cluster; undefined is what the Cluster is configured with */
  constructor(cluster: Cluster, replication: Replication | undefined) {
    this.name = cluster.options.name;
    const { tags, reserve = 0, weight = 1, drained = false } = cluster.options;
    this.tags = tags;
    this.reserve = reserve;
    this.weight = weight;
    this.drained = drained;
    this.#cluster = cluster;
    this.#replication = replication;
  }

  /** Space of all members together, and for one copy of a shard where it is known how many are made. */
  async metric(): Promise<Metric> {
    const states = [...(await this.#cluster.metrics.all()).values()];
    if (!states.some(({ alive }) => alive)) {
      throw new ShardctlError('TOO_FEW_PEERS', `peer "${this.name}" has no member that answers`, { retryable: true });
    }
    const usedBytes = await this.#cluster.usage.total(states.length);
    const free = states.filter(canBeAllocated).reduce((sum, { freeBytes = 0 }) => sum + freeBytes, 0);
    const { capacity } = this.#cluster.options;
    const most = this.#replication?.max ?? 1;
    const room = (capacity === undefined ? free : Math.min(free, capacity - usedBytes)) / (most < 0 ? states.length : most);
    return { freeBytes: Math.max(0, Math.floor(room)), usedBytes, at: Math.max(...states.map(({ at }) => at)) || this.#cluster.now() };
  }

  async put(shard: SealedShard, { replace = false, throttle, signal }: PutOptions): Promise<void> {
    signal.throwIfAborted();
    const cid = shardName(shard.cid);
    const { api, turns, usage, listing, now } = this.#cluster;
    await this.#cluster.describe();
    await turns.take(cid, async () => {
      const car = await shardBody(shard, throttle);
      const before = await api.pin(cid);
      if (!replace && before !== undefined && countPinned(await api.status(cid)) >= (await this.#least(cid))) return;
      const metadata = withMark({ ...before?.metadata, ...metadataOf(shard) }, this.#cluster.options.owner.id, [ALL]);
      const members = undefined;
      const replication = this.#replication === undefined ? {} : { replication: this.#replication };
      // Twice is once: the blocks and the pin are the same.
      const options = {
        name: shard.label,
        metadata,
        members,
        what: `uploading ${shard.label}`,
        repeatable: true,
        signal,
      };
      await api.add(car, { ...options, ...replication });
      await pinnedOnSome(api, cid, await this.#least(cid), { signal, now });
      await usage.changed(before, await api.pin(cid));
      listing.changed();
    });
    await markPin(this.#cluster, cid, ALL);
  }

  async has(cid: string): Promise<boolean> {
    return countPinned(await this.#cluster.api.status(shardName(cid))) > 0;
  }

  async open(cid: string): Promise<ShardReader> {
    const statuses = await this.#cluster.api.status(shardName(cid));
    const holders = [...statuses].filter(([, { status }]) => status === PINNED).map(([id]) => id);
    if (holders.length === 0) throw new ShardctlError('NOT_FOUND', `shard ${cid} is not pinned on peer "${this.name}"`);
    const kubo = holders.map((id) => this.#cluster.member(id)?.kubo).find((known) => known !== undefined);
    return kubo === undefined ? await this.#cluster.openElsewhere(cid, this.name) : await kubo.open(cid);
  }

  async *list(): AsyncIterable<string> {
    yield* (await this.#cluster.listing.anywhere()).keys();
  }

  async hold(cids: readonly string[]): Promise<void> {
    await this.#cluster.describe();
    for (const cid of cids) await markPin(this.#cluster, shardName(cid), ALL);
  }

  async remove(cid: string, owner = this.#cluster.options.owner.id): Promise<'removed' | 'kept'> {
    return await dropWhole(this.#cluster, shardName(cid), owner);
  }

  async owners(): Promise<readonly PeerOwner[]> {
    return await ownersIn(this.#cluster.api, this.marks());
  }

  marks(): AsyncIterable<Mark> {
    return marksOn(this.#cluster.api, ALL);
  }

  async pinRoots(repository: string, cids: readonly string[]): Promise<void> {
    const { api, roots, now } = this.#cluster;
    await roots.pin(repository, cids, this.name, 1);
    for (const cid of cids) await pinnedOnSome(api, cid, 1, { now });
  }

  async reclaim(): Promise<void> {
    await this.#cluster.collectGarbage();
  }

  async close(): Promise<void> {
    await this.#cluster.close();
  }

  /** Members that must have the shard, by its pin. */
  async #least(cid: string): Promise<number> {
    const pin = await this.#cluster.api.pin(cid);
    if (pin === undefined)
      throw new ShardctlError('TOO_FEW_PEERS', `peer "${this.name}" has taken ${cid} and does not pin it`, { retryable: true });
    if (pin.replication_factor_min > 0) return pin.replication_factor_min;
    return [...(await this.#cluster.metrics.all()).values()].filter(({ alive }) => alive).length;
  }
}
