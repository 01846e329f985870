/**
 * A whole IPFS Cluster as one peer, so that shards can be spread over several Clusters. The Cluster chooses the members itself, by its own
 * allocators and replication. A shard is there when as many members have it as the Cluster was asked for.
 */
import { ShardctlError } from '../../core/errors.ts';
import type { Metric, Replication } from '../../core/model.ts';
import { bufferBody, type CarBody, shardBody } from '../http/car-body.ts';
import type { Mark, Peer, PeerContact, PeerOwner, PutOptions, SealedShard, ShardReader } from '../peer.ts';
import { shardName } from '../shard-name.ts';
import type { Pin } from './api-answers.ts';
import type { Cluster } from './cluster.ts';
import { ALL, marksOn, ownersIn, withMark } from './mark-metadata.ts';
import { canBeAllocated, dropWhole, markPin } from './pin-changes.ts';
import { PINNED, pinnedOnSome } from './pin-confirmation.ts';
import { pointerCar } from './pointer-car.ts';
import { metadataOf } from './uploads.ts';

export class FederatedPeer implements Peer {
  readonly kind = 'cluster';
  readonly name: string;
  readonly tags: Readonly<Record<string, string>>;
  readonly reserve: number;
  readonly weight: number;
  readonly drained: boolean;
  readonly givesBytes: boolean;
  readonly #cluster: Cluster;
  readonly #replication: Replication | undefined;

  /** @param replication inside the Cluster; undefined: as the Cluster is configured */
  constructor(cluster: Cluster, replication: Replication | undefined) {
    this.name = cluster.options.name;
    const { tags, reserve = 0, weight = 1, drained = false } = cluster.options;
    this.tags = tags;
    this.reserve = reserve;
    this.weight = weight;
    this.drained = drained;
    this.givesBytes = cluster.options.gateway !== undefined || cluster.options.members.some(({ kubo }) => kubo !== undefined);
    this.#cluster = cluster;
    this.#replication = replication;
  }

  /** Free space of all members together, divided by the number of copies that are made of each shard where that is known. */
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
    const body = await shardBody(shard, throttle);
    await this.#cluster.describe();
    await this.#cluster.pinMutex.withLock(cid, async () => {
      if (replace || !(await this.has(cid))) await this.#add(body, shard, signal);
    });
    await markPin(this.#cluster, cid, ALL);
  }

  /** Whether as many members have it as it was asked for. One alone is not enough: the others may have died since. */
  async has(cid: string): Promise<boolean> {
    const pin = await this.#cluster.api.pin(shardName(cid));
    return pin !== undefined && (await this.#holders(cid)).length >= (await this.#least(pin));
  }

  /** One copy is enough for reading. That it can be read is no evidence of the other copies. */
  async open(cid: string): Promise<ShardReader> {
    const holders = await this.#holders(shardName(cid));
    if (holders.length === 0) throw new ShardctlError('NOT_FOUND', `shard ${cid} is not pinned on peer "${this.name}"`);
    const kubos = holders.flatMap((id) => this.#cluster.member(id)?.kubo ?? []);
    let failure: ShardctlError | undefined;
    for (const kubo of kubos) {
      try {
        return await kubo.open(cid);
      } catch (error) {
        if (!(error instanceof ShardctlError)) throw error;
        failure ??= error;
      }
    }
    if (failure !== undefined && this.#cluster.options.gateway === undefined) throw failure;
    return await this.#cluster.openElsewhere(cid, this.name);
  }

  async shortfall(cid: string): Promise<string | undefined> {
    const pin = await this.#cluster.api.pin(shardName(cid));
    if (pin === undefined) return undefined;
    const [there, least] = [(await this.#holders(cid)).length, await this.#least(pin)];
    return there >= least ? undefined : `${there} of ${least} members have it`;
  }

  async fetch(shard: Pick<SealedShard, 'cid' | 'label' | 'carBytes'>, signal: AbortSignal): Promise<void> {
    const cid = shardName(shard.cid);
    await this.#cluster.pinMutex.withLock(cid, () => this.#add(bufferBody(pointerCar(cid)), shard, signal));
  }

  async *list(): AsyncIterable<string> {
    const counts = await this.#cluster.inventories.anywhere();
    for await (const pin of this.#cluster.api.pins()) {
      const there = counts.get(pin.cid);
      if (there !== undefined && there >= (await this.#least(pin))) yield pin.cid;
    }
  }

  async mark(cids: readonly string[]): Promise<void> {
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
    // The Cluster asks every member that should have a pin, and would wait for the one that ails.
    if (await this.#cluster.ails()) return;
    for (const cid of cids) await pinnedOnSome(api, cid, 1, { now });
  }

  async keepRoots(repositories: ReadonlySet<string>): Promise<void> {
    await this.#cluster.roots.keepOnly(repositories);
  }

  async reclaim(): Promise<void> {
    await this.#cluster.collectGarbage();
  }

  /** All members: which of them have a shard is the Cluster's own affair. */
  async contacts(): Promise<readonly PeerContact[]> {
    return [...(await this.#cluster.contacts.all()).values()];
  }

  async close(): Promise<void> {
    await this.#cluster.close();
  }

  /** One line for each silent member: `repair` makes their copies again on others. */
  async warnings(): Promise<readonly string[]> {
    const { metrics, options } = this.#cluster;
    const states = await metrics.all();
    return options.members
      .filter(({ id }) => states.get(id)?.alive !== true)
      .map(({ id, name }) => `member ${name}: ${states.get(id)?.ailment?.why ?? 'it does not answer the others'}`);
  }

  /** Has the Cluster choose members, preferably those that have the shard already, and waits until enough of them have pinned it. */
  async #add(body: CarBody, shard: Pick<SealedShard, 'cid' | 'label' | 'carBytes'>, signal: AbortSignal): Promise<void> {
    const { api, usage, inventories, now } = this.#cluster;
    const { cid, label } = shard;
    const before = await api.pin(cid);
    await api.add(body, {
      name: before?.name ?? label,
      metadata: withMark({ ...before?.metadata, ...metadataOf(shard) }, this.#cluster.options.owner.id, [ALL]),
      members: undefined,
      replication: this.#replication,
      prefer: before === undefined ? [] : await this.#holders(cid),
      what: `uploading ${label}`,
      // Sent twice it makes the same blocks and the same pin.
      repeatable: true,
      signal,
    });
    const after = await api.pin(cid);
    if (after === undefined)
      throw new ShardctlError('TOO_FEW_PEERS', `peer "${this.name}" has taken ${cid} and does not pin it`, { retryable: true });
    await pinnedOnSome(api, cid, await this.#least(after), { signal, now });
    await usage.changed(before, after);
    inventories.changed();
  }

  /** IDs of members that answer and have the shard pinned. */
  async #holders(cid: string): Promise<string[]> {
    const { api, inventories } = this.#cluster;
    const listed = await inventories.holders(cid);
    if (listed.size > 0 || (await this.#cluster.ails())) return [...listed];
    return [...(await api.status(cid))].filter(([, { status }]) => status === PINNED).map(([id]) => id);
  }

  /** How many members must have the shard: the replication of the settings, else that of the pin. */
  async #least(pin: Pin): Promise<number> {
    const least = this.#replication?.min ?? pin.replication_factor_min;
    if (least > 0) return least;
    return [...(await this.#cluster.metrics.all()).values()].filter(({ alive }) => alive).length;
  }
}
