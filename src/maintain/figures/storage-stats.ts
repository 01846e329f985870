/**
 * What snapshots take of the peers, by the records: what each has added to those before it, how much is saved because they share shards,
 * and how it grows. A shard counts whole where only a part of it is needed, as it does on a peer; `prune` may make it smaller.
 */
import type { Replication, SnapshotRecord } from '../../core/model.ts';
import type { Index } from '../../index/index.ts';
import type { Demands } from '../../storing/demand.ts';
import { type Holding, holdingsOf } from '../../storing/holdings.ts';

/** Growth is told of so many days, or of fewer where no older snapshot is kept. */
const GROWTH_DAYS = 30;
const DAY_MS = 86_400_000;

/** A snapshot beside those before it. */
export interface SnapshotStats {
  readonly repository: string;
  readonly number: number;
  readonly time: string;
  /** Of all of its files. */
  readonly bytes: number;
  /** Shards that no older snapshot of the repository needs, its catalogue included, and the bytes of their blocks. */
  readonly addedShards: number;
  readonly addedBytes: number;
  /** What this one and all before it need together. */
  readonly storedBytes: number;
}

/** All snapshots of a repository, or of several. */
export interface RepositoryStats {
  readonly snapshots: number;
  /** Of all files of all snapshots: what copies of all of them would take. */
  readonly bytes: number;
  /** Of the blocks of all shards that they need, each once. */
  readonly storedBytes: number;
  /** What that takes on all peers together, as CARs. */
  readonly peerBytes: number;
  /** Of `storedBytes`: what the snapshots after `grownSince` have added. */
  readonly grownBytes: number;
  /** Thirty days ago, or the time of the oldest snapshot if that is younger: what there was before it, nobody knows any more. */
  readonly grownSince: string;
}

/** Shards of which as many replicas are asked, on peers that are chosen alike. */
export interface PolicyStats {
  readonly replication: Replication;
  readonly allocateBy: readonly string[];
  readonly shards: number;
  readonly storedBytes: number;
  readonly peerBytes: number;
}

export class StorageStats {
  readonly #index: Index;
  readonly #monthAgo: number;
  readonly #holdings: readonly Holding[];
  readonly #byNumber = new Map<number, Holding>();
  readonly #byCid = new Map<string, Holding>();

  /** Reads the tables once. @param now milliseconds since 1970 */
  constructor(index: Index, now: number) {
    this.#index = index;
    this.#monthAgo = now - GROWTH_DAYS * DAY_MS;
    this.#holdings = holdingsOf(index);
    for (const holding of this.#holdings) {
      this.#byCid.set(holding.cid, holding);
      for (const number of holding.shards) this.#byNumber.set(number, holding);
    }
  }

  snapshots(repository: string): readonly SnapshotStats[] {
    const known = new Set<Holding>();
    let storedBytes = 0;
    return this.#index.snapshots(repository).map((snapshot) => {
      const added = this.#neededBy(snapshot).filter((holding) => !known.has(holding));
      for (const holding of added) known.add(holding);
      const addedBytes = sum(added, ({ bytes }) => bytes);
      storedBytes += addedBytes;
      const { number, time, bytes } = snapshot;
      return { repository, number, time, bytes, addedShards: added.length, addedBytes, storedBytes };
    });
  }

  /** Of several repositories, what they share counts once. */
  of(repositories: readonly string[]): RepositoryStats {
    const snapshots = repositories.flatMap((name) => this.#index.snapshots(name));
    const needed = new Set<Holding>();
    const inOrder = snapshots.toSorted((a, b) => Date.parse(a.time) - Date.parse(b.time));
    const since = Math.max(this.#monthAgo, inOrder[0] === undefined ? 0 : Date.parse(inOrder[0].time));
    let grownBytes = 0;
    for (const snapshot of inOrder) {
      const added = this.#neededBy(snapshot).filter((holding) => !needed.has(holding));
      for (const holding of added) needed.add(holding);
      if (Date.parse(snapshot.time) > since) grownBytes += sum(added, ({ bytes }) => bytes);
    }
    return {
      snapshots: snapshots.length,
      bytes: sum(snapshots, ({ bytes }) => bytes),
      storedBytes: sum(needed, ({ bytes }) => bytes),
      peerBytes: sum(needed, onPeers),
      grownBytes,
      grownSince: new Date(since).toISOString(),
    };
  }

  /** The policy with the most bytes first. Shards that no snapshot needs any more are among those of the home. */
  policies(demands: Demands): readonly PolicyStats[] {
    const policies = new Map<string, PolicyStats>();
    for (const holding of this.#holdings) {
      const { replication, allocateBy } = demands.ofUsers(holding);
      const key = `${replication.min}:${replication.max} ${allocateBy.join()}`;
      const { shards, storedBytes, peerBytes } = policies.get(key) ?? { shards: 0, storedBytes: 0, peerBytes: 0 };
      policies.set(key, {
        replication,
        allocateBy,
        shards: shards + 1,
        storedBytes: storedBytes + holding.bytes,
        peerBytes: peerBytes + onPeers(holding),
      });
    }
    return [...policies.values()].sort((a, b) => b.storedBytes - a.storedBytes);
  }

  #neededBy({ shards, catalogue }: SnapshotRecord): Holding[] {
    const all = new Set([...shards.map((number) => this.#byNumber.get(number)), this.#byCid.get(catalogue.cid)]);
    return [...all].filter((holding) => holding !== undefined);
  }
}

function onPeers({ carBytes, peers }: Holding): number {
  return carBytes * peers.length;
}

function sum<T>(all: Iterable<T>, of: (one: T) => number): number {
  let total = 0;
  for (const one of all) total += of(one);
  return total;
}
