/**
 * The Kubo peer: a stock daemon, driven over its RPC. A shard is stored with one `dag/import` that pins its root. `pin ls` says that it is
 * there; only a complete offline read shows that it is intact (docs/architecture.md, "What is evidence").
 */
import { ShardctlError } from '../../core/errors.ts';
import type { Metric, Owner } from '../../core/model.ts';
import { checkCar } from '../car-check.ts';
import { HttpClient, type HttpClientOptions } from '../http/client.ts';
import { KeyedMutex } from '../keyed-mutex.ts';
import type { Mark, Peer, PeerContact, PeerOwner, PeerSettings, PutOptions, SealedShard, ShardBytes, ShardReader } from '../peer.ts';
import { Gateway } from '../remote/gateway.ts';
import { openShard, type ShardSource, singleBlock } from '../remote/remote-reader.ts';
import { isShardName, shardName } from '../shard-name.ts';
import { announcementWarnings } from './announcements.ts';
import { watched } from './liveness.ts';
import { MarkPins, marksIn } from './mark-pins.ts';
import { type OwnGateway, ownGateway } from './own-gateway.ts';
import { keepRoots, pinRoots } from './root-pins.ts';
import { KuboRpc } from './rpc.ts';
import { damageIn, ShardWriter } from './shard-writer.ts';

/** A slow disk, or a garbage collection that comes first, may take this long; it is no failure. */
const PATIENCE_MS = 60 * 60 * 1000;

export interface KuboPeerOptions extends Omit<HttpClientOptions, 'who' | 'settingsName'>, PeerSettings {
  /** What errors call the daemon. [peer "name"] */
  readonly who?: string;
  /** The daemon's peer ID: another daemon at its address is not this peer. */
  readonly id: string;
  /** The home whose shards and roots are marked as its own. Undefined where an IPFS Cluster keeps the marks. */
  readonly owner: Owner | undefined;
  /** Most bytes that its datastore may take, instead of what the daemon is set to. */
  readonly capacity?: number | undefined;
  /** Whether pins are named with the labels of their shards, for which Kubo reads each shard once more. [true] */
  readonly namesPins?: boolean;
  /** URL of its gateway, from which ranges of shards are read. */
  readonly gateway?: string | undefined;
  /** Milliseconds in which the daemon must have pinned what it was sent. [an hour] */
  readonly patienceMs?: number;
  /** Milliseconds since 1970. */
  readonly now?: () => number;
}

export class KuboPeer implements Peer {
  readonly kind = 'kubo';
  readonly name: string;
  readonly tags: Readonly<Record<string, string>>;
  readonly reserve: number;
  readonly weight: number;
  readonly drained: boolean;
  readonly rpc: KuboRpc;
  readonly #marks: MarkPins | undefined;
  readonly #gateway: Gateway | undefined;
  readonly #options: KuboPeerOptions;
  /** Found by the first shard that is read as a stream, where the settings name no gateway. */
  #ownGateway: Promise<OwnGateway | undefined> | undefined;
  #identity: Promise<void> | undefined;
  /** Bytes of the shards that are being put, so that several puts at once do not count on the same free space. */
  #claimed = 0;
  /** By CID: of two puts of one shard at once, one would drop the other's pin for a moment in order to name it. */
  readonly #puts = new KeyedMutex();

  /** Makes no connection yet: whether the daemon answers shows when the peer is first used. */
  constructor(options: KuboPeerOptions) {
    this.name = options.name;
    this.tags = options.tags ?? {};
    this.reserve = options.reserve ?? 0;
    this.weight = options.weight ?? 1;
    this.drained = options.drained ?? false;
    this.#options = options;
    this.rpc = new KuboRpc(new HttpClient({ ...options, settingsName: options.name, who: options.who ?? `peer "${options.name}"` }));
    if (options.owner !== undefined) this.#marks = new MarkPins(this.rpc, options.owner, options.now ?? Date.now);
    if (options.gateway !== undefined)
      this.#gateway = new Gateway(new HttpClient({ url: options.gateway, who: `the gateway of peer "${options.name}"` }));
  }

  /** The peer ID of whatever Kubo answers at a URL. @throws ShardctlError `TOO_FEW_PEERS` */
  static async idAt(options: Omit<HttpClientOptions, 'who'>): Promise<string> {
    const http = new HttpClient({ ...options, who: 'the daemon' });
    try {
      return (await new KuboRpc(http).id()).id;
    } finally {
      await http.close();
    }
  }

  /** Ranges are read from the gateway, if there is one; whatever serves as evidence, from the daemon itself. */
  get #source(): ShardSource {
    const [rpc, gateway] = [this.rpc, this.#gateway];
    if (gateway === undefined) return rpc;
    return {
      http: rpc.http,
      block: (cid, what) => rpc.block(cid, what),
      exportCar: (cid, what) => rpc.exportCar(cid, what),
      range: (cid, offset, length) => gateway.range(cid, offset, length),
    };
  }

  async metric(): Promise<Metric> {
    await this.#identify();
    const { usedBytes, maxBytes } = await this.rpc.repoStat();
    const most = this.#options.capacity ?? maxBytes;
    if (most === 0) {
      throw new ShardctlError('TOO_FEW_PEERS', `peer "${this.name}" (${this.rpc.http.address}) does not say how much it may store`, {
        hint: 'set Datastore.StorageMax there, or a capacity for the peer',
      });
    }
    return { usedBytes, freeBytes: Math.max(0, most - usedBytes), at: (this.#options.now ?? Date.now)() };
  }

  async put(shard: SealedShard, options: PutOptions): Promise<void> {
    shardName(shard.cid);
    await this.#puts.withLock(shard.cid, () => this.#put(shard, options));
  }

  /** Asks the daemon for its ID once more. @throws ShardctlError `TOO_FEW_PEERS` when it does not answer, or another daemon does */
  async answers(): Promise<void> {
    this.#identity = undefined;
    await this.#identify();
  }

  async has(cid: string): Promise<boolean> {
    await this.#identify();
    return await this.rpc.isPinned(shardName(cid));
  }

  async open(cid: string): Promise<ShardReader> {
    if (!(await this.has(cid))) {
      throw new ShardctlError('NOT_FOUND', `shard ${cid} is not pinned on peer "${this.name}" (${this.rpc.http.address})`);
    }
    return await openShard(this.#source, cid);
  }

  async block(digest: Uint8Array): Promise<Uint8Array | undefined> {
    await this.#identify();
    return await singleBlock(this.#source, digest);
  }

  /** From the gateway, if there is one, which takes half of the daemon's time for its RPC; from there what the gateway does not give. */
  async shardBytes(cid: string): Promise<readonly ShardBytes[]> {
    await this.#identify();
    const name = shardName(cid);
    this.#ownGateway ??= this.#gateway === undefined ? ownGateway(this.rpc, name) : Promise.resolve(undefined);
    const gateway = this.#gateway ?? (await this.#ownGateway);
    const ways = [...(gateway === undefined ? [] : [gateway.plainFile(name)]), this.rpc.plainFile(name)];
    return ways.map((way) => ({ form: 'file', ...way }));
  }

  async salvage(cid: string): Promise<ShardReader> {
    await this.#identify();
    return await openShard(this.rpc, shardName(cid));
  }

  /** Lists other pins that look like a shard, too: a pin does not tell what it is of. */
  async *list(): AsyncIterable<string> {
    await this.#identify();
    for await (const { cid } of this.rpc.pins('recursive', false)) if (isShardName(cid)) yield cid;
  }

  async mark(cids: readonly string[]): Promise<void> {
    await this.#identify();
    await this.#marks?.mark(cids.map(shardName));
  }

  /** Unpins the shard, unless another home has marked it. The daemon frees the space with its own garbage collection, or at `reclaim`. */
  async remove(cid: string, owner?: string): Promise<'removed' | 'kept'> {
    await this.#identify();
    await this.#marks?.release(shardName(cid), owner);
    if (await this.#marks?.isMarked(cid)) return 'kept';
    await this.rpc.unpin(shardName(cid), `unpinning shard ${cid}`);
    // Another home may have marked it and seen its pin meanwhile. Its blocks stay until the next garbage collection.
    if (!(await this.#marks?.isMarked(cid))) return 'removed';
    await this.rpc.pin(cid, `pinning shard ${cid} again`);
    return 'kept';
  }

  async owners(): Promise<readonly PeerOwner[]> {
    await this.#identify();
    return (await this.#marks?.owners()) ?? [];
  }

  async *marks(): AsyncIterable<Mark> {
    await this.#identify();
    yield* marksIn(this.rpc);
  }

  async pinRoots(repository: string, cids: readonly string[]): Promise<void> {
    await this.#identify();
    if (this.#options.owner !== undefined) await pinRoots(this.rpc, this.#options.owner.id, repository, cids);
  }

  async keepRoots(repositories: ReadonlySet<string>): Promise<void> {
    await this.#identify();
    if (this.#options.owner !== undefined) await keepRoots(this.rpc, this.#options.owner.id, repositories);
  }

  async reclaim(): Promise<void> {
    await this.#identify();
    const what = 'collecting garbage';
    await watched(this.rpc, what, new AbortController().signal, async (signal) => {
      const response = await this.rpc.http.request(this.rpc.call('repo/gc', { 'stream-errors': true }, { what, idleMs: 0, signal }));
      for await (const line of response.lines()) {
        const { Error: error } = (line ?? {}) as { Error?: unknown };
        if (typeof error === 'string' && error !== '') {
          throw new ShardctlError('TOO_FEW_PEERS', `${what} on peer "${this.name}" failed (${this.rpc.http.address}): ${error}`);
        }
      }
    });
  }

  async contacts(): Promise<readonly PeerContact[]> {
    await this.#identify();
    const { id, addresses } = await this.rpc.id();
    return [{ id, addresses }];
  }

  async warnings(): Promise<readonly string[]> {
    return await announcementWarnings(this.rpc);
  }

  async close(): Promise<void> {
    await this.#gateway?.http.close();
    await (await this.#ownGateway?.catch(() => undefined))?.close();
    await this.rpc.http.close();
  }

  async #put(shard: SealedShard, { signal, throttle }: PutOptions): Promise<void> {
    signal.throwIfAborted();
    await checkCar(shard.carPath, shard);
    await this.#identify();
    await this.#marks?.mark([shard.cid]);
    const { patienceMs = PATIENCE_MS, namesPins = true } = this.#options;
    const writer = new ShardWriter(this.rpc, { patienceMs, namesPins, throttle, signal });
    if (await this.rpc.isPinned(shard.cid)) return await writer.mend(shard);
    try {
      await this.#claim(shard, () => writer.writeNew(shard));
    } catch (error) {
      await writer.mend(shard, damageIn(error));
    }
  }

  /** For Kubo, StorageMax is the threshold of its garbage collection and no limit, so it is kept here. */
  async #claim(shard: SealedShard, work: () => Promise<void>): Promise<void> {
    const free = (await this.metric()).freeBytes - this.#claimed;
    if (free < shard.carBytes) {
      throw new ShardctlError(
        'NO_SPACE',
        `peer "${this.name}" has ${Math.max(0, free)} bytes left and needs ${shard.carBytes} for ${shard.label}`,
        { hint: `have it collect its garbage (\`ipfs repo gc\`), raise Datastore.StorageMax there, or add another peer` },
      );
    }
    this.#claimed += shard.carBytes;
    try {
      await work();
    } finally {
      this.#claimed -= shard.carBytes;
    }
  }

  /** Once a session. @throws ShardctlError `TOO_FEW_PEERS` when it does not answer, or when another daemon does */
  async #identify(): Promise<void> {
    this.#identity ??= this.#compareId();
    try {
      await this.#identity;
    } catch (error) {
      this.#identity = undefined;
      throw error;
    }
  }

  async #compareId(): Promise<void> {
    const { id } = await this.rpc.id();
    if (id === this.#options.id) return;
    throw new ShardctlError(
      'TOO_FEW_PEERS',
      `peer "${this.name}" (${this.rpc.http.address}) is another Kubo now: its peer ID is ${id}, and was ${this.#options.id}`,
      { hint: 'if its datastore was made anew on purpose, change the ID in config.json and run `shardctl repair`' },
    );
  }
}
