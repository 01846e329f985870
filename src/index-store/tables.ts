/** The small tables of the index. Owner of LMDB, which takes 40 ms to load: a run that finds nothing to do goes without. */
import { createRequire } from 'node:module';
import type { Database, RootDatabase } from 'lmdb';
import type { PlacedShard, RepositoryRecord, ShardRecord, SnapshotRecord } from '../model.ts';
import type { Standing } from './standing.ts';

/** Where a shard is recorded: two records may stand for one, and a catalogue has no number. */
export interface ShardUsers {
  readonly shards: readonly number[];
  readonly snapshots: readonly [repository: string, number: number][];
}

export class Tables {
  readonly root: RootDatabase;
  readonly repositories: Database<RepositoryRecord, string>;
  readonly snapshots: Database<SnapshotRecord, [string, number]>;
  readonly shards: Database<ShardRecord, number>;
  /** CIDs of what may be on peers although no snapshot needs it, and the names of those. */
  readonly strays: Database<readonly string[], string>;
  readonly meta: Database<number, string>;

  constructor(path: string, readOnly: boolean) {
    const { open } = createRequire(import.meta.url)('lmdb') as typeof import('lmdb');
    // Without `overlappingSync` a transaction's promise resolves when it is on disk, which is what every step here waits for.
    this.root = open({ path, maxDbs: 8, readOnly, overlappingSync: false });
    this.repositories = this.root.openDB({ name: 'repositories', encoding: 'json' });
    this.snapshots = this.root.openDB({ name: 'snapshots', encoding: 'json' });
    this.meta = this.root.openDB({ name: 'meta', encoding: 'json' });
    this.shards = this.root.openDB({ name: 'shards', encoding: 'json' });
    this.strays = this.root.openDB({ name: 'strays', encoding: 'json' });
  }

  /** What there is to know of the heads. */
  standing(format: number): Standing {
    const repositories = [...this.repositories.getRange()].map(({ value }) => value);
    const snapshots = repositories.flatMap(({ name, head }) => this.snapshots.get([name, head]) ?? []);
    const numbers = new Set(snapshots.flatMap(({ shards }) => shards));
    const shards = [...numbers].flatMap((number) => this.shards.get(number) ?? []);
    return { format, repositories, snapshots, shards: new Map(shards.map((shard) => [shard.number, shard])) };
  }

  /** Within a transaction. What was announced is recorded now; a peer that is not among the holders may have a copy all the same. */
  settleStray({ cid, peers }: Pick<PlacedShard, 'cid' | 'peers'>, formerHolders: readonly string[] = []): void {
    const others = new Set([...(this.strays.get(cid) ?? []), ...formerHolders]);
    this.#putStray(
      cid,
      [...others].filter((name) => !peers.includes(name)),
    );
  }

  /** Within a transaction. @param peers those on which it is no more; all, if none are named */
  dropStray(cid: string, peers: readonly string[] | undefined): void {
    const others = (this.strays.get(cid) ?? []).filter((name) => peers?.includes(name) === false);
    this.#putStray(cid, others);
  }

  /** Within a transaction. */
  relocate(cid: string, { shards, snapshots }: ShardUsers, peers: readonly string[]): void {
    const before: string[] = [];
    for (const number of shards) {
      const shard = this.shards.get(number);
      if (shard?.cid !== cid) continue;
      before.push(...shard.peers);
      void this.shards.put(number, { ...shard, peers });
    }
    for (const key of snapshots) {
      const snapshot = this.snapshots.get(key);
      if (snapshot?.catalogue.cid !== cid) continue;
      before.push(...snapshot.catalogue.peers);
      void this.snapshots.put(key, { ...snapshot, catalogue: { ...snapshot.catalogue, peers } });
    }
    this.settleStray({ cid, peers }, before);
  }

  #putStray(cid: string, peers: readonly string[]): void {
    if (peers.length > 0) void this.strays.put(cid, peers);
    else void this.strays.remove(cid);
  }

  /** Within a transaction. */
  setState(number: number, state: ShardRecord['state']): void {
    const shard = this.shards.get(number);
    // What is lost does not come back by being named.
    if (shard !== undefined && (shard.state !== 'lost' || state === 'sealed') && shard.state !== state)
      void this.shards.put(number, { ...shard, state });
  }
}
