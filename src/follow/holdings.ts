/**
 * What the follower holds: shards on its peers, recorded in its home's index, so that `serve` gives them. Whatever is about to be put on a
 * peer is noted as a stray before, and whatever is about to be removed has stopped counting: a run that dies in between leaves bytes that
 * the next one removes.
 */
import { statSync } from 'node:fs';
import { ShardctlError } from '../core/errors.ts';
import { type Emit, peerWarning } from '../core/events.ts';
import type { ShardRecord } from '../core/model.ts';
import { removeFileSync } from '../core/remove-file.ts';
import type { Index } from '../index/index.ts';
import { type Peer, peerNamed } from '../peer/peer.ts';
import type { PackedShard } from '../storing/pack/open-shard.ts';
import { putWithRetries } from '../storing/place/put.ts';

export interface HoldingsOptions {
  /** Undefined in a dry run of a home that has none yet. */
  readonly index: Index | undefined;
  /** All peers of the home. */
  readonly peers: ReadonlyMap<string, Peer>;
  readonly emit: Emit;
  readonly signal: AbortSignal;
}

export class Holdings {
  readonly #options: HoldingsOptions;
  readonly #byCid = new Map<string, ShardRecord>();
  /** Peers that do not answer: what is there stays as it is. */
  readonly silent = new Set<string>();

  private constructor(options: HoldingsOptions) {
    this.#options = options;
  }

  /** Removes what a run that died has left on the way, and asks each peer what it has. A shard that is gone, or lacks a part, is not held any more. */
  static async open(options: HoldingsOptions): Promise<Holdings> {
    const holdings = new Holdings(options);
    const onPeer = new Map<string, ReadonlySet<string>>();
    for (const peer of options.peers.values()) {
      try {
        const cids = new Set<string>();
        for await (const cid of peer.list()) cids.add(cid);
        onPeer.set(peer.name, cids);
      } catch (error) {
        if (options.signal.aborted || !(error instanceof ShardctlError)) throw error;
        holdings.silent.add(peer.name);
        options.emit(peerWarning(peer.name, 'does not answer', error));
      }
    }
    await holdings.#settle(onPeer);
    return holdings;
  }

  /** What the records say, without asking or changing anything. */
  static recorded(options: HoldingsOptions): Holdings {
    const holdings = new Holdings(options);
    for (const record of options.index?.shards() ?? []) if (record.state !== 'sealed') holdings.#byCid.set(record.cid, record);
    return holdings;
  }

  get(cid: string): ShardRecord | undefined {
    return this.#byCid.get(cid);
  }

  all(): readonly ShardRecord[] {
    return [...this.#byCid.values()];
  }

  /** Bytes of all of it. */
  get bytes(): number {
    return this.all().reduce((sum, { carBytes }) => sum + carBytes, 0);
  }

  /**
   * Puts a shard from the spool on peers and records it. Its file is gone afterwards, however this ends.
   * @param on the names of the peers, or gives one that has room @throws ShardctlError `NO_SPACE`, and what the last put failed with
   */
  async add(shard: PackedShard, label: string, on: readonly string[] | ((carBytes: number) => string | undefined)): Promise<void> {
    const { peers, emit, signal } = this.#options;
    const index = indexOf(this.#options);
    const { number, cid, bytes, blocks, carBytes, dagSize, digests } = shard;
    try {
      const names = typeof on === 'function' ? [on(carBytes)].filter((name) => name !== undefined) : on;
      if (names.length === 0) throw new ShardctlError('NO_SPACE', `no peer has room for its ${carBytes} bytes`);
      await index.noteStray({ cid, peers: names });
      for (const name of names) {
        const options = { mayConsume: names.length === 1, allocation: names, signal };
        await putWithRetries(peerNamed(peers, name), { ...shard, label }, options, { emit });
      }
      const record: ShardRecord = { number, cid, bytes, blocks, carBytes, dagSize, peers: names, state: 'placed' };
      await index.addPlaced(record, digests);
      await this.#keep(record);
      emit({ type: 'placed', shard: number, cid, bytes, peers: names });
    } finally {
      removeFileSync(shard.carPath);
    }
  }

  /** Whether all peers that have it answer, so that it can be dropped now. */
  canDrop(cid: string): boolean {
    return this.#byCid.get(cid)?.peers.every((name) => !this.silent.has(name)) ?? false;
  }

  async drop(cid: string): Promise<void> {
    const record = this.#byCid.get(cid);
    if (record === undefined) return;
    this.#byCid.delete(cid);
    await indexOf(this.#options).replaceSnapshots([], [record.number]);
    await this.#remove(record);
  }

  async #settle(onPeer: ReadonlyMap<string, ReadonlySet<string>>): Promise<void> {
    const { emit } = this.#options;
    const index = indexOf(this.#options);
    const records = [...index.shards()];
    for (const record of records.filter(({ state }) => state !== 'sealed')) {
      const lost = record.peers.filter((name) => onPeer.get(name)?.has(record.cid) === false);
      const torn: string[] = [];
      for (const name of record.peers)
        if (onPeer.get(name)?.has(record.cid) === true && (await this.#isTorn(name, record))) torn.push(name);
      // A peer that had the only replica may have been taken out of the home.
      if (record.peers.length > 0 && lost.length + torn.length === 0) await this.#keep(record);
      else {
        if (lost.length > 0) emit({ type: 'warning', message: `shard ${record.cid} is gone from peer ${lost.join(', ')}` });
        if (torn.length > 0) emit({ type: 'warning', message: `shard ${record.cid} has lost a part on peer ${torn.join(', ')}` });
        await index.replaceSnapshots([], [record.number]);
        await this.#remove(record);
      }
    }
    // A run died between two steps, or a peer was silent; meanwhile the shard may have been taken again.
    for (const record of records.filter(({ state }) => state === 'sealed')) {
      const elsewhere = record.peers.filter((name) => !this.#byCid.get(record.cid)?.peers.includes(name));
      if (elsewhere.every((name) => onPeer.has(name))) await this.#remove({ ...record, peers: elsewhere });
    }
    for (const { cid, peers } of index.strays()) for (const name of peers) if (onPeer.has(name)) await this.#takeAway(cid, name);
  }

  /** Counts on a record. A CID has one: what was put on further peers is recorded anew, and the new record says what the old one said. */
  async #keep(record: ShardRecord): Promise<void> {
    const { cid, peers } = record;
    const before = this.#byCid.get(cid);
    if (before === undefined) {
      this.#byCid.set(cid, record);
      return;
    }
    const index = indexOf(this.#options);
    const both = { ...record, peers: [...new Set([...peers, ...before.peers])] };
    await index.updateShards([both]);
    this.#byCid.set(cid, both);
    await index.replaceSnapshots([], [before.number]);
    await index.dropShard(before.number);
  }

  /** Whether its CAR, where that is a file on this machine, has another length than it should have. Its bytes are for `verify`. */
  async #isTorn(name: string, { cid, carBytes }: ShardRecord): Promise<boolean> {
    const path = await this.#options.peers.get(name)?.carPath?.(cid);
    if (path === undefined) return false;
    try {
      return statSync(path).size !== carBytes;
    } catch {
      return true;
    }
  }

  /** Removes a shard that does not count any more, and then its record. */
  async #remove({ number, cid, peers }: ShardRecord): Promise<void> {
    const index = indexOf(this.#options);
    await index.noteStray({ cid, peers });
    for (const name of peers) await this.#takeAway(cid, name);
    await index.dropShard(number);
  }

  /** A peer that fails meanwhile keeps it as a stray until the next run. */
  async #takeAway(cid: string, name: string): Promise<void> {
    const { peers, emit, signal } = this.#options;
    try {
      await peers.get(name)?.remove(cid);
      await indexOf(this.#options).dropStray(cid, [name]);
    } catch (error) {
      if (signal.aborted || !(error instanceof ShardctlError)) throw error;
      emit(peerWarning(name, `keeps ${cid}, which is not needed any more`, error));
    }
  }
}

export function indexOf({ index }: Pick<HoldingsOptions, 'index'>): Index {
  if (index === undefined) throw new Error('a dry run has no index to write to');
  return index;
}
