/**
 * The index: what shardctl knows without asking anybody. A cache of what snapshots and manifests say, except for stat data
 * and placements in flight. Small tables in LMDB; entries and blocks in files of their own, which are read front to back.
 */
import { mkdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { type Database, open, type RootDatabase } from 'lmdb';
import type { DigestMap } from '../digest-map.ts';
import { syncDirectory } from '../durable.ts';
import { errnoOf, ioError, ShardctlError } from '../errors.ts';
import type { ShardRecord, SnapshotRecord, Stray } from '../model.ts';
import { BlockTable } from './blocks.ts';
import { EntriesFiles } from './entries-files.ts';
import type { RootStat } from './entries-format.ts';
import type { EntriesReader } from './entries-reader.ts';
import type { EntriesWriter } from './entries-writer.ts';
import type { RepositoryRecord, ShardUsers } from './records.ts';
import { assertRoom } from './room.ts';
import { Strays } from './strays.ts';

/** Format of the index as a whole. A newer one is refused; an older one will be migrated. */
export const INDEX_FORMAT = 1;

export type { RepositoryRecord, ShardUsers };

export class Index {
  readonly #dir: string;
  readonly #root: RootDatabase;
  readonly #repositories: Database<RepositoryRecord, string>;
  readonly #snapshots: Database<SnapshotRecord, [string, number]>;
  readonly #shards: Database<ShardRecord, number>;
  readonly #strays: Strays;
  readonly #meta: Database<number, string>;
  readonly #blocks: BlockTable;
  readonly #entries: EntriesFiles;
  /** Numbers of the shards that count, once they are asked for. */
  #placed: Set<number> | undefined;

  /**
   * Opens the index, and makes it unless `readOnly`.
   * @param options.dropTorn delete damaged runs of the block table instead of refusing it
   * @throws ShardctlError `NEWER_FORMAT`, `NOT_FOUND`, `DAMAGE`, `IO`
   */
  static async open(dir: string, options: { readOnly?: boolean; dropTorn?: boolean } = {}): Promise<Index> {
    const readOnly = options.readOnly === true;
    try {
      if (!readOnly) {
        mkdirSync(join(dir, 'entries'), { recursive: true });
        assertRoom(dir);
      }
      // Without `overlappingSync` a transaction's promise resolves when it is on disk, which is what every step here waits for.
      const root = open({ path: join(dir, 'tables'), maxDbs: 8, readOnly, overlappingSync: false });
      const index = new Index(dir, root, new BlockTable(join(dir, 'blocks'), readOnly, options));
      await index.#checkFormat(readOnly);
      return index;
    } catch (error) {
      if (errnoOf(error) === 'ENOENT')
        throw new ShardctlError('NOT_FOUND', `there is no index at ${dir}`, { hint: 'run `shardctl add DIR` first' });
      throw ioError(error, 'opening the index', dir);
    }
  }

  private constructor(dir: string, root: RootDatabase, blocks: BlockTable) {
    this.#dir = dir;
    this.#root = root;
    this.#blocks = blocks;
    this.#entries = new EntriesFiles(join(dir, 'entries'));
    this.#repositories = root.openDB({ name: 'repositories', encoding: 'json' });
    this.#snapshots = root.openDB({ name: 'snapshots', encoding: 'json' });
    this.#meta = root.openDB({ name: 'meta', encoding: 'json' });
    this.#shards = root.openDB({ name: 'shards', encoding: 'json' });
    this.#strays = new Strays(root.openDB<readonly string[], string>({ name: 'strays', encoding: 'json' }));
  }

  repositories(): RepositoryRecord[] {
    return [...this.#repositories.getRange()].map(({ value }) => value);
  }

  repository(name: string): RepositoryRecord | undefined {
    return this.#repositories.get(name);
  }

  /** All committed snapshots of a repository, oldest first. */
  snapshots(repository: string): SnapshotRecord[] {
    const range = { start: [repository, 0] as [string, number], end: [repository, Number.MAX_SAFE_INTEGER] as [string, number] };
    return [...this.#snapshots.getRange(range)].map(({ value }) => value);
  }

  snapshot(repository: string, number: number): SnapshotRecord | undefined {
    return this.#snapshots.get([repository, number]);
  }

  *shards(): Iterable<ShardRecord> {
    for (const { value } of this.#shards.getRange()) yield value;
  }

  shard(number: number): ShardRecord | undefined {
    return this.#shards.get(number);
  }

  /** The number that the next shard gets: one more than any that was ever placed, also when that is gone. */
  nextShardNumber(): number {
    const [last = -1] = this.#shards.getKeys({ reverse: true, limit: 1 });
    return Math.max(last + 1, this.#meta.get('nextShard') ?? 0);
  }

  /** A placed and `usable` shard that holds a block, by the digest that stands at `at`. */
  shardOf(digest: Uint8Array, at = 0, usable: (shard: number) => boolean = () => true): number | undefined {
    return this.#blocks.get(digest, at, (shard) => this.#isPlaced(shard) && usable(shard));
  }

  /** Whether the block table has this block in this very shard. */
  lists(shard: number, digest: Uint8Array, at = 0): boolean {
    return this.#blocks.get(digest, at, (candidate) => candidate === shard) !== undefined;
  }

  /** Lists the blocks of a shard (again): for `repair`. @param digests 32 bytes each */
  relist(shard: number, digests: Buffer): void {
    this.#blocks.add(shard, digests, this.#numbers);
  }

  /**
   * Records a shard that is placed, and its blocks; durable when it resolves. Three steps: its number is taken, its blocks
   * are listed, it counts. A run that dies in between leaves a number that is never used again and blocks that nobody finds.
   */
  async addPlaced(shard: ShardRecord, digests: Pick<DigestMap, 'digests'>): Promise<void> {
    assertRoom(this.#dir);
    await this.#root.transaction(() => {
      void this.#shards.put(shard.number, { ...shard, state: 'sealed' });
      this.#strays.settle(shard);
    });
    this.#blocks.add(shard.number, digests.digests(), this.#numbers);
    await this.#shards.put(shard.number, shard);
    this.#placed?.add(shard.number);
  }

  /**
   * Commits a snapshot: it, its repository's head and the state of its shards change in one transaction, or not at all.
   * The entries files are durable already; their names become it now.
   */
  async commit(repository: RepositoryRecord, snapshot: SnapshotRecord): Promise<void> {
    this.#entries.sync(repository.name);
    assertRoom(this.#dir);
    await this.#root.transaction(() => {
      for (const number of snapshot.shards) this.#setState(number, 'committed');
      this.#strays.settle(snapshot.catalogue);
      void this.#snapshots.put([snapshot.repository, snapshot.number], snapshot);
      void this.#repositories.put(repository.name, repository);
    });
    this.#entries.keepOnly(repository.name, repository.head);
  }

  /** Notes what is about to be put on peers, so that whatever becomes of the run, `prune` finds it. Durable when it resolves. */
  async noteStray(stray: Stray): Promise<void> {
    await this.#strays.note(stray);
  }

  strays(): Stray[] {
    return this.#strays.all();
  }

  /** The stray is on these peers no more; on none, if none are named. */
  async dropStray(cid: string, peers?: readonly string[]): Promise<void> {
    await this.#strays.drop(cid, peers);
  }

  /**
   * Other peers hold a shard now: each record of it says so, in one transaction, and those that held it before become a
   * stray's holders.
   */
  async relocate(cid: string, { shards, snapshots }: ShardUsers, peers: readonly string[]): Promise<void> {
    await this.#root.transaction(() => {
      const before: string[] = [];
      for (const number of shards) {
        const shard = this.#shards.get(number);
        if (shard?.cid !== cid) continue;
        before.push(...shard.peers);
        void this.#shards.put(number, { ...shard, peers });
      }
      for (const key of snapshots) {
        const snapshot = this.#snapshots.get(key);
        if (snapshot?.catalogue.cid !== cid) continue;
        before.push(...snapshot.catalogue.peers);
        void this.#snapshots.put(key, { ...snapshot, catalogue: { ...snapshot.catalogue, peers } });
      }
      this.#strays.settle({ cid, peers }, before);
    });
    this.#placed = undefined;
  }

  /** Forgets snapshots, all or none; their catalogues become strays. */
  async forget(repository: string, numbers: Iterable<number>): Promise<void> {
    await this.#root.transaction(() => {
      for (const number of numbers) {
        const snapshot = this.#snapshots.get([repository, number]);
        if (snapshot === undefined) continue;
        this.#strays.settle({ cid: snapshot.catalogue.cid, peers: [] }, snapshot.catalogue.peers);
        void this.#snapshots.remove([repository, number]);
      }
    });
  }

  /** In one transaction: snapshots take the place of those of their numbers, and shards that no snapshot needs stop counting. */
  async replaceSnapshots(snapshots: readonly SnapshotRecord[], dead: Iterable<number>): Promise<void> {
    await this.#root.transaction(() => {
      for (const snapshot of snapshots) {
        const key: [string, number] = [snapshot.repository, snapshot.number];
        const before = this.#snapshots.get(key);
        if (before !== undefined && before.catalogue.cid !== snapshot.catalogue.cid)
          this.#strays.settle({ cid: before.catalogue.cid, peers: [] }, before.catalogue.peers);
        this.#strays.settle(snapshot.catalogue);
        void this.#snapshots.put(key, snapshot);
        for (const number of snapshot.shards) this.#setState(number, 'committed');
      }
      for (const number of dead) this.#setState(number, 'sealed');
    });
    this.#placed = undefined;
  }

  /** Drops the record of a shard that is on no peer any more; its number is never given out again. */
  async dropShard(number: number): Promise<void> {
    await this.#root.transaction(() => {
      void this.#meta.put('nextShard', this.nextShardNumber());
      void this.#shards.remove(number);
    });
    this.#placed = undefined;
  }

  /** Replaces what is known of shards that are there: other peers, another state. */
  async updateShards(shards: readonly ShardRecord[]): Promise<void> {
    await this.#root.transaction(() => {
      for (const shard of shards) {
        void this.#shards.put(shard.number, shard);
        this.#strays.settle(shard);
      }
    });
    this.#placed = undefined;
  }

  /** Remembers a repository's settings without a new snapshot. */
  async saveRepository(repository: RepositoryRecord): Promise<void> {
    await this.#repositories.put(repository.name, repository);
  }

  /** The entries of a snapshot; undefined when they are lost or damaged, and then every file is read again. */
  readEntries(repository: string, number: number): EntriesReader | undefined {
    return this.#entries.read(repository, number);
  }

  writeEntries(repository: string, number: number, root: RootStat, isRacy: (ctimeNs: bigint) => boolean): EntriesWriter {
    return this.#entries.write(repository, number, root, isRacy);
  }

  async close(): Promise<void> {
    this.#blocks.close();
    await this.#root.close();
  }

  /** What comes from `writeEntries(repository, from)` takes the place of what snapshot `to` has. */
  moveEntries(repository: string, from: number, to: number): void {
    this.#entries.move(repository, from, to);
  }

  dropEntries(repository: string, number: number): void {
    this.#entries.drop(repository, number);
  }

  readonly #isPlaced = (shard: number): boolean => {
    this.#placed ??= new Set(
      [...this.shards()].filter(({ state }) => state === 'placed' || state === 'committed').map(({ number }) => number),
    );
    return this.#placed.has(shard);
  };

  readonly #numbers = (): ReadonlySet<number> => new Set(this.#shards.getKeys());

  #setState(number: number, state: ShardRecord['state']): void {
    const shard = this.#shards.get(number);
    // What is lost does not come back by being named.
    if (shard !== undefined && (shard.state !== 'lost' || state === 'sealed') && shard.state !== state)
      void this.#shards.put(number, { ...shard, state });
  }

  async #checkFormat(readOnly: boolean): Promise<void> {
    const found = this.#meta.get('format');
    if (found === undefined && !readOnly) {
      await this.#meta.put('format', INDEX_FORMAT);
      // A new index: its files are durable one by one, its directories only now.
      for (const path of [join(this.#dir, 'tables'), this.#dir, dirname(this.#dir)]) syncDirectory(path);
    }
    if (found !== undefined && found > INDEX_FORMAT) {
      throw new ShardctlError('NEWER_FORMAT', `the index at ${this.#dir} has format ${found}; this shardctl knows ${INDEX_FORMAT}`, {
        hint: 'use the newer shardctl that wrote it',
      });
    }
  }
}
