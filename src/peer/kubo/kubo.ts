/**
 * The Kubo peer: a stock daemon, driven over its RPC. A shard is one `dag/import` with its root pinned; `pin ls` says that it
 * is there, and only a complete offline read says that it is whole (docs/design.md section 5).
 */
import { ShardctlError } from '../../errors.ts';
import { sleep } from '../../flow.ts';
import type { Metric } from '../../model.ts';
import { checkCar } from '../check-car.ts';
import { HttpClient, type HttpClientOptions } from '../http/client.ts';
import { HttpError } from '../http/error.ts';
import { isIntact } from '../intact.ts';
import type { Peer, PutOptions, SealedShard, ShardReader } from '../peer.ts';
import { isShardName, shardName } from '../shard-name.ts';
import { announcementWarnings } from './announcements.ts';
import { importCar } from './import.ts';
import { openShard } from './reader.ts';
import { pinRoots } from './roots.ts';
import { KuboRpc } from './rpc.ts';
import { watched } from './watch.ts';

/** A shard is sent this often before its peer is given up. */
const IMPORTS = 3;
const FIRST_PAUSE_MS = 1000;
/** The manifest is mended first, where it is damaged, and then what it lists. */
const MENDINGS = 3;
/** Naming a pin reads the blocks again, which were written a moment ago. */
const NAMING_IDLE_MS = 120_000;
/** A slow disk, or a garbage collection that comes first, may take this long and is no failure. */
const PATIENCE_MS = 60 * 60 * 1000;

export interface KuboPeerOptions extends Omit<HttpClientOptions, 'who'> {
  readonly name: string;
  /** The daemon's peer ID: another daemon at its address is not this peer. */
  readonly id: string;
  /** Tells this home's pins of roots from another's on the same daemon. */
  readonly owner: string;
  /** Most bytes that its datastore may take, instead of what the daemon is set to. */
  readonly capacity?: number | undefined;
  readonly tags?: Readonly<Record<string, string>>;
  readonly reserve?: number | undefined;
  readonly weight?: number | undefined;
  readonly drained?: boolean | undefined;
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
  readonly #options: KuboPeerOptions;
  #identity: Promise<void> | undefined;
  /** Bytes of the shards that are being put, so that several at once do not share the same free space. */
  #claimed = 0;
  /** Puts under way, by CID: two at once of one shard would pin and name it across each other. */
  readonly #puts = new Map<string, Promise<void>>();

  /** Connects to nothing yet: a daemon that does not answer shows when the peer is first used. */
  constructor(options: KuboPeerOptions) {
    this.name = options.name;
    this.tags = options.tags ?? {};
    this.reserve = options.reserve ?? 0;
    this.weight = options.weight ?? 1;
    this.drained = options.drained ?? false;
    this.#options = options;
    this.rpc = new KuboRpc(new HttpClient({ ...options, who: `peer "${options.name}"` }));
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
    const earlier = this.#puts.get(shard.cid);
    const put = (earlier ?? Promise.resolve()).catch(() => {}).then(() => this.#put(shard, options));
    this.#puts.set(shard.cid, put);
    try {
      await put;
    } finally {
      if (this.#puts.get(shard.cid) === put) this.#puts.delete(shard.cid);
    }
  }

  async has(cid: string): Promise<boolean> {
    await this.#identify();
    return await this.rpc.isPinned(shardName(cid));
  }

  async open(cid: string): Promise<ShardReader> {
    if (!(await this.has(cid))) {
      throw new ShardctlError('NOT_FOUND', `shard ${cid} is not pinned on peer "${this.name}" (${this.rpc.http.address})`);
    }
    return await openShard(this.rpc, cid);
  }

  /** What else is pinned there and looks like a shard is listed, too: a pin does not tell. */
  async *list(): AsyncIterable<string> {
    await this.#identify();
    for await (const { cid } of this.rpc.pins('recursive', false)) if (isShardName(cid)) yield cid;
  }

  /** Unpins. The space is freed by the daemon's garbage collection, when it likes or at `reclaim`. */
  async remove(cid: string): Promise<void> {
    await this.#identify();
    try {
      await this.rpc.http.json(this.rpc.call('pin/rm', { arg: shardName(cid) }, { what: `unpinning shard ${cid}` }));
    } catch (error) {
      if (!(error instanceof HttpError && /not pinned/.test(error.said))) throw error;
    }
  }

  async pinRoots(repository: string, cids: readonly string[]): Promise<void> {
    await this.#identify();
    await pinRoots(this.rpc, this.#options.owner, repository, cids);
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

  async warnings(): Promise<readonly string[]> {
    return await announcementWarnings(this.rpc);
  }

  close(): Promise<void> {
    return this.rpc.http.close();
  }

  async #put(shard: SealedShard, { signal }: PutOptions): Promise<void> {
    signal.throwIfAborted();
    await checkCar(shard.carPath, shard);
    await this.#identify();
    let failure: ShardctlError | undefined;
    if (!(await this.rpc.isPinned(shard.cid))) {
      try {
        return await this.#claim(shard, () => this.#import(shard, true, signal));
      } catch (error) {
        // A block of it may lie there already, and be damaged.
        failure = damageIn(error);
      }
    }
    await this.#mend(shard, failure, signal);
  }

  /**
   * A shard that is pinned already is whole when all of it reads back; else it is written once more. Kubo does not write a block that
   * it has, be it the right one or not: the wrong ones go first.
   * @param failure why it could not be imported
   */
  async #mend(shard: SealedShard, failure: ShardctlError | undefined, signal: AbortSignal): Promise<void> {
    for (let round = 1; ; round++) {
      const wrong: Uint8Array[] = [];
      const whole = await isIntact(() => openShard(this.rpc, shard.cid, (digest) => wrong.push(digest)));
      if (whole && (await this.rpc.isPinned(shard.cid))) return;
      if (failure !== undefined && wrong.length === 0) throw failure;
      if (round > MENDINGS) break;
      signal.throwIfAborted();
      await this.#clear(shard, wrong);
      failure = await this.#import(shard, false, signal).then(() => undefined, damageIn);
    }
    throw new ShardctlError('DAMAGE', `${shard.label} (${shard.cid}) is still damaged on peer "${this.name}" after it was written anew`, {
      hint: 'look at the log of the daemon, and check its disk',
    });
  }

  /**
   * Removes damaged blocks. The pin stays, with one exception: Kubo cannot remove any block while it cannot read the manifest of a
   * pin, and what such a pin guards is in the CAR that is at hand.
   */
  async #clear(shard: SealedShard, wrong: readonly Uint8Array[]): Promise<void> {
    try {
      await this.rpc.removeBlocks(wrong);
    } catch (error) {
      if (!(error instanceof HttpError) || error.status === undefined) throw error;
      await this.remove(shard.cid);
      await this.rpc.removeBlocks(wrong);
    }
  }

  /**
   * Sends the shard until it is pinned. An import whose answer counts every block is evidence that they are there; when its outcome
   * is not known, the shard is asked, before it is sent again.
   */
  async #import(shard: SealedShard, isNew: boolean, signal: AbortSignal): Promise<void> {
    for (let attempt = 1; ; attempt++) {
      try {
        await importCar(this.rpc, shard, this.#options.patienceMs ?? PATIENCE_MS, signal);
        if (isNew && attempt === 1) await this.#name(shard, signal);
        if (await this.rpc.isPinned(shard.cid)) return;
        throw new ShardctlError('TOO_FEW_PEERS', `peer "${this.name}" has lost the pin of ${shard.label} (${shard.cid})`, {
          retryable: true,
        });
      } catch (error) {
        signal.throwIfAborted();
        if (!(error instanceof ShardctlError) || !error.retryable || attempt === IMPORTS) throw error;
        await sleep(FIRST_PAUSE_MS * attempt * attempt, signal);
        if ((await this.rpc.isPinned(shard.cid)) && (await isIntact(() => openShard(this.rpc, shard.cid)))) return;
      }
    }
  }

  /** StorageMax is a threshold to Kubo, and no limit: whoever writes must keep it. */
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

  /**
   * `dag/import` gives pins no name. `pin/add` does, but it drops the pin and walks the blocks before it pins again: under Kubo's pin
   * lock, so that no garbage collection comes in between, and yet only for a shard that nobody counts on so far.
   */
  async #name({ cid, label }: SealedShard, signal: AbortSignal): Promise<void> {
    try {
      const query = { arg: cid, name: label };
      await this.rpc.http.json(this.rpc.call('pin/add', query, { what: `naming ${label}`, idleMs: NAMING_IDLE_MS, signal }));
    } catch (error) {
      // Whether the pin is there is asked next, and all that matters.
      if (!(error instanceof HttpError)) throw error;
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

/** The error itself when it says that what came is not whole. @throws every other */
function damageIn(error: unknown): ShardctlError {
  if (error instanceof ShardctlError && error.code === 'DAMAGE') return error;
  throw error;
}
