/** The shards that are open by their manifests, on whatever peer: a few, because each holds 100 bytes a block. */
import { ShardctlError } from '../../core/errors.ts';
import { type Peer, type ShardReader, troubleOf } from '../../peer/peer.ts';

/** Shards that are kept open. Trees are read in the order in which they were packed, so a few are enough. */
const MOST_OPEN = 8;

interface OpenShard {
  readonly peer: string;
  readonly reader: Promise<ShardReader>;
  /** Reads in progress: a reader in use is not closed. */
  users: number;
}

export interface OpenReadersOptions {
  readonly peers: ReadonlyMap<string, Peer>;
  /** Called whenever a shard is damaged and what is left of it is opened. */
  readonly onTrouble: ((message: string, cause: string, peer: string) => void) | undefined;
  /** Called when a shard cannot be opened on a peer. */
  readonly onFailure: (peer: string, cid: string, error: ShardctlError) => void;
}

export class OpenReaders {
  readonly #options: OpenReadersOptions;
  /** By peer and shard; least recently used first. */
  readonly #open = new Map<string, OpenShard>();

  constructor(options: OpenReadersOptions) {
    this.#options = options;
  }

  has(peer: string, cid: string): boolean {
    return this.#open.has(keyOf(peer, cid));
  }

  /** Opens the shard unless it is open, and keeps it open while `work` runs. @throws what the peer throws that opens it, and what `work` throws */
  async use<T>(peer: string, cid: string, work: (reader: ShardReader) => Promise<T>): Promise<T> {
    const key = keyOf(peer, cid);
    // `#openOn` deletes the shard from the map when it fails, so it must not start before the shard was put there.
    const shard = this.#open.get(key) ?? { peer, reader: Promise.resolve().then(() => this.#openOn(key, peer, cid)), users: 0 };
    // Moves the shard to the end of the map: the most recently used one comes last.
    this.#open.delete(key);
    this.#open.set(key, shard);
    shard.users++;
    if (this.#open.size > MOST_OPEN) void this.#closeOldest();
    try {
      return await work(await shard.reader);
    } finally {
      shard.users--;
    }
  }

  /** Closes a shard that is not there any more, unless it is being read. */
  async leave(peer: string, cid: string): Promise<void> {
    const key = keyOf(peer, cid);
    const shard = this.#open.get(key);
    if (shard === undefined || shard.users > 0) return;
    this.#open.delete(key);
    await closeReader(shard);
  }

  /** Closes all shards of these peers that nobody reads. */
  async leaveUnused(isMeant: (peer: string) => boolean): Promise<void> {
    const unused = [...this.#open].filter(([, { peer, users }]) => users === 0 && isMeant(peer));
    for (const [key] of unused) this.#open.delete(key);
    for (const [, shard] of unused) await closeReader(shard);
  }

  async close(): Promise<void> {
    const shards = [...this.#open.values()];
    this.#open.clear();
    for (const shard of shards) await closeReader(shard);
  }

  async #openOn(key: string, name: string, cid: string): Promise<ShardReader> {
    try {
      const peer = this.#options.peers.get(name);
      if (peer === undefined) throw new ShardctlError('TOO_FEW_PEERS', `peer "${name}" is not configured`);
      return await this.#openOrSalvage(peer, cid);
    } catch (error) {
      this.#open.delete(key);
      if (error instanceof ShardctlError) this.#options.onFailure(name, cid, error);
      throw error;
    }
  }

  async #openOrSalvage(peer: Peer, cid: string): Promise<ShardReader> {
    try {
      return await peer.open(cid);
    } catch (error) {
      if (!(error instanceof ShardctlError) || error.code !== 'DAMAGE' || peer.salvage === undefined) throw error;
      this.#options.onTrouble?.(troubleOf(peer.name, error), error.message, peer.name);
      return await peer.salvage(cid).catch(() => {
        throw error;
      });
    }
  }

  async #closeOldest(): Promise<void> {
    for (const [key, shard] of this.#open) {
      if (shard.users > 0) continue;
      this.#open.delete(key);
      await closeReader(shard);
      return;
    }
  }
}

async function closeReader({ reader }: OpenShard): Promise<void> {
  await (await reader.catch(() => undefined))?.close();
}

function keyOf(peer: string, cid: string): string {
  return `${peer} ${cid}`;
}
