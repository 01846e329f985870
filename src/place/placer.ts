/**
 * place — brings sealed shards to their peers while the pipeline goes on.
 * In: sealed shards. Out: shard records in the index, in the state `placed`. Holds: the shards under way, which are files.
 *
 * The order is the promise (docs/design.md section 5): stored and pinned on every peer that counts, confirmed, and only
 * then recorded. A peer that fails is left out for the rest of the run and another takes its place.
 */
import { rm } from 'node:fs/promises';
import type { DigestMap } from '../digest-map.ts';
import { ShardctlError } from '../errors.ts';
import type { Emit } from '../events.ts';
import { BoundedQueue } from '../flow.ts';
import type { Metric, Replication, ShardRecord, Stray } from '../model.ts';
import type { Peer, SealedShard } from '../peer/peer.ts';

/** Shards on their way at once. Two keep a disk busy; more only make it seek. */
const TRANSFERS = 2;
/** Shards under way or waiting before the pipeline is held back. */
const MAX_WAITING = 3;

/** A shard to place. */
export interface PlaceableShard {
  readonly number: number;
  readonly cid: string;
  readonly bytes: number;
  readonly blocks: number;
  readonly dagSize: number;
  readonly carPath: string;
  readonly carBytes: number;
  readonly digests: DigestMap;
}

/** What placing needs of the allocation stage. */
export interface Allocations {
  /** Chooses peers for a shard and debits them. @throws ShardctlError when there are too few */
  allocate(cid: string, bytes: number, replication: Replication, except: ReadonlySet<string>): string[];
  /** The peer has what it was promised, and this is what it says now. */
  settle(name: string, bytes: number, metric: Metric): void;
  /** The peer failed: it gets nothing more in this run. */
  leave(name: string): void;
}

export interface PlaceOptions {
  readonly repository: string;
  readonly peers: ReadonlyMap<string, Peer>;
  readonly allocations: Allocations;
  readonly replication: Replication;
  readonly emit: Emit;
  readonly signal: AbortSignal;
  /** Notes durably which peers are about to be given the shard: what a run that dies leaves there is found again. */
  readonly announce: (stray: Stray) => Promise<void>;
  /** Records a placed shard and its blocks durably. */
  readonly record: (shard: ShardRecord, digests: DigestMap) => Promise<void>;
}

export class Placer {
  readonly #options: PlaceOptions;
  readonly #queue = new BoundedQueue(TRANSFERS, MAX_WAITING);
  /** Bytes that each peer was given in this run. */
  readonly placedBytes = new Map<string, number>();

  constructor(options: PlaceOptions) {
    this.#options = options;
  }

  /** Allocates the shard now, in the order of sealing, and places it as soon as it can; resolves when the next may come. */
  async place(shard: PlaceableShard): Promise<void> {
    const { allocations, replication } = this.#options;
    const peers = allocations.allocate(shard.cid, shard.carBytes, replication, new Set());
    await this.#queue.add(() => this.#transfer(shard, peers));
  }

  /** Resolves when every shard is placed and recorded. */
  drained(): Promise<void> {
    return this.#queue.drained();
  }

  async #transfer(shard: PlaceableShard, allocation: readonly string[]): Promise<void> {
    const { replication, announce, record, emit } = this.#options;
    const tried = new Set(allocation);
    const holders: string[] = [];
    let failure: unknown = new ShardctlError('TOO_FEW_PEERS', `shard ${shard.number} is on too few peers`);
    for (let names = allocation; names.length > 0; ) {
      await announce({ cid: shard.cid, peers: names });
      const failed = await this.#putOnAll(shard, names, holders);
      if (failed === undefined) break;
      failure = failed.error;
      names = this.#substitutes(shard, holders, tried, failure);
      for (const name of names) tried.add(name);
    }
    const least = Math.max(1, replication.min < 0 ? this.#options.peers.size : replication.min);
    if (holders.length < least) throw failure;
    const { number, cid, bytes, blocks, dagSize, carBytes } = shard;
    await record({ number, cid, bytes, blocks, dagSize, carBytes, state: 'placed', peers: holders.sort() }, shard.digests);
    await rm(shard.carPath, { force: true });
    emit({ type: 'placed', shard: number, cid, bytes, peers: holders });
  }

  /** Peers that take the place of failed ones. None when there are enough holders without, or nobody is left. */
  #substitutes(shard: PlaceableShard, holders: readonly string[], tried: ReadonlySet<string>, failure: unknown): string[] {
    const { replication, peers, allocations } = this.#options;
    const most = replication.max < 0 ? peers.size : replication.max;
    const min = (replication.min < 0 ? peers.size : replication.min) - holders.length;
    try {
      return allocations.allocate(shard.cid, shard.carBytes, { min: Math.max(1, min), max: most - holders.length }, tried);
    } catch (error) {
      if (min <= 0) return [];
      // What went wrong on the peer says more than that there is no other.
      throw failure instanceof ShardctlError && !(error instanceof ShardctlError && error.code === 'NO_SPACE') ? failure : error;
    }
  }

  /** Puts the shard on these peers, the last one may take the file; returns a failure if any of them failed. */
  async #putOnAll(shard: PlaceableShard, names: readonly string[], holders: string[]): Promise<{ error: unknown } | undefined> {
    const { signal, replication } = this.#options;
    const copies = names.slice(0, -1).map((name) => this.#putOn(shard, name, false));
    const failures = (await Promise.all(copies)).filter((failed) => failed !== undefined);
    signal.throwIfAborted();
    // Whoever may move the file gets it last, and only if no copy of it is needed any more.
    const complete = failures.length === 0 && holders.length + names.length >= Math.max(1, replication.min);
    const last = await this.#putOn(shard, names.at(-1) as string, complete);
    if (last !== undefined) failures.push(last);
    const failed = new Set(failures.map(({ name }) => name));
    holders.push(...names.filter((name) => !failed.has(name)));
    return failures[0];
  }

  async #putOn(shard: PlaceableShard, name: string, mayConsume: boolean): Promise<{ name: string; error: unknown } | undefined> {
    const { peers, allocations, signal, emit, repository } = this.#options;
    const peer = peers.get(name) as Peer;
    const sealed: SealedShard = {
      cid: shard.cid,
      label: `${repository} ${String(shard.number).padStart(8, '0')}`,
      bytes: shard.bytes,
      blocks: shard.blocks,
      carPath: shard.carPath,
      carBytes: shard.carBytes,
    };
    try {
      await peer.put(sealed, { mayConsume, signal });
      this.placedBytes.set(name, (this.placedBytes.get(name) ?? 0) + shard.carBytes);
    } catch (error) {
      signal.throwIfAborted();
      if (!(error instanceof ShardctlError)) throw error;
      allocations.leave(name);
      const hint = error.hint === undefined ? {} : { hint: error.hint };
      emit({ type: 'warning', message: `peer ${name} is left out for the rest of this run: ${error.message}`, ...hint });
      return { name, error };
    }
    await this.#settle(peer, shard.carBytes);
    return undefined;
  }

  /** Takes note of what the peer says now. It has the shard, whatever comes of this; one that says nothing gets nothing more. */
  async #settle(peer: Peer, bytes: number): Promise<void> {
    const { allocations, emit } = this.#options;
    try {
      const metric = await peer.metric();
      allocations.settle(peer.name, bytes, metric);
      emit({ type: 'peer', name: peer.name, freeBytes: metric.freeBytes, usedBytes: metric.usedBytes });
    } catch (error) {
      if (!(error instanceof ShardctlError)) throw error;
      allocations.leave(peer.name);
    }
  }
}
