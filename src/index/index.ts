/**
 * The index: what shardctl knows without asking a peer. All of it can be made again from snapshots and manifests, except stat data and
 * the records of placements under way. Small tables lie in LMDB, entries and the block table in files of their own.
 */
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { DigestMap } from '../core/digest-map.ts';
import { makeDirectories, syncDirectory } from '../core/durable-files.ts';
import { hasLoss, type RepositoryRecord, type ShardRecord, type ShardUsers, type SnapshotRecord, type Stray } from '../core/model.ts';
import { BlockTable, type DamagedSegment } from './blocks/blocks.ts';
import { CountedBlocks } from './blocks/counted-blocks.ts';
import { EntriesFiles } from './entries/files.ts';
import { doubtPath } from './files/doubts.ts';
import { bringUpToDate, doubtHeads, formatOf, INDEX_FORMAT, opening } from './format.ts';
import { assertRoom } from './free-space.ts';
import { dropHeadCache, type HeadCache, readHeadCache, writeHeadCache } from './tables/head-cache.ts';
import { Tables } from './tables/tables.ts';

export interface IndexOptions {
  readonly readOnly?: boolean;
  /** Check every page of the block table, and go on without damaged segments, which `damagedSegments` lists then. */
  readonly checkBlocks?: boolean;
}

export class Index {
  readonly #dir: string;
  readonly #options: IndexOptions;
  /** The entries of each repository's snapshots. What is written there counts from `commit` on. */
  readonly entries: EntriesFiles;
  /** The newest snapshots as the head cache has them: while it is valid, the tables stay closed. */
  #heads: HeadCache | undefined;
  #openTables: Tables | undefined;
  /** Whether the tables were changed since the index was opened. */
  isChanged = false;
  #openBlocks: BlockTable | undefined;
  /** Computed from the shards' records when a block is first looked up; dropped when those records change. */
  #countedBlocks: CountedBlocks | undefined;

  /**
   * Opens the index, and makes it unless `readOnly`.
   * @throws ShardctlError `NEWER_FORMAT`, `NOT_FOUND`, `DAMAGE`, `IO`
   */
  static async open(dir: string, options: IndexOptions = {}): Promise<Index> {
    const index = new Index(dir, options);
    if (options.readOnly !== true) {
      opening(dir, () => makeDirectories(join(dir, 'entries')));
      assertRoom(dir);
    }
    if (existsSync(join(dir, 'tables')) && options.checkBlocks !== true) index.#heads = readHeadCache(dir, INDEX_FORMAT);
    try {
      if (index.#heads === undefined) await index.#checkFormat();
    } catch (error) {
      await index.#openTables?.root.close();
      throw error;
    }
    return index;
  }

  private constructor(dir: string, options: IndexOptions) {
    this.#dir = dir;
    this.#options = options;
    this.entries = new EntriesFiles(join(dir, 'entries'));
  }

  repositories(): RepositoryRecord[] {
    if (this.#heads !== undefined) return [...this.#heads.repositories];
    return [...this.#tables.repositories.getRange()].map(({ value }) => value);
  }

  repository(name: string): RepositoryRecord | undefined {
    if (this.#heads !== undefined) return this.#heads.repositories.find((repository) => repository.name === name);
    return this.#tables.repositories.get(name);
  }

  /** All committed snapshots of a repository, oldest first. */
  snapshots(repository: string): SnapshotRecord[] {
    return this.#tables.snapshotsOf(repository);
  }

  snapshot(repository: string, number: number): SnapshotRecord | undefined {
    const head = this.#heads?.snapshots.find((snapshot) => snapshot.repository === repository && snapshot.number === number);
    return head ?? this.#tables.snapshots.get([repository, number]);
  }

  *shards(): Iterable<ShardRecord> {
    for (const { value } of this.#tables.shards.getRange()) yield value;
  }

  shard(number: number): ShardRecord | undefined {
    return this.#heads?.shards.get(number) ?? this.#tables.shards.get(number);
  }

  /** The record as it is now, even if another run has changed it since the index was opened. */
  currentShard(number: number): ShardRecord | undefined {
    return this.#tables.shards.get(number);
  }

  /** The number that the next shard gets: one more than the highest that was ever given out, even if that shard's record was dropped. */
  nextShardNumber(): number {
    const [last = -1] = this.#tables.shards.getKeys({ reverse: true, limit: 1 });
    return Math.max(last + 1, this.#tables.meta.get('nextShard') ?? 0);
  }

  /** A placed and `usable` shard with the block whose digest stands at `at`, unless that block is known to be damaged there. */
  shardOf(digest: Uint8Array, at = 0, usable: (shard: number) => boolean = () => true): number | undefined {
    return this.#blocks.get(digest, at, (shard) => this.#counted.isIn(shard, digest, at) && usable(shard));
  }

  /** A damaged or lost shard that is listed with a block, and may still have it. */
  damagedShardOf(digest: Uint8Array, usable: (shard: number) => boolean): number | undefined {
    return this.#blocks.get(digest, 0, (number) => {
      const shard = this.shard(number);
      return shard !== undefined && hasLoss(shard) && usable(number);
    });
  }

  /** Whether the block table has this block in this very shard. */
  lists(shard: number, digest: Uint8Array, at = 0): boolean {
    return this.#blocks.get(digest, at, (candidate) => candidate === shard) !== undefined;
  }

  /** Lists the blocks of a shard (again): for `repair`. @param digests 32 bytes each */
  relist(shard: number, digests: Buffer): void {
    this.#blocks.add(shard, digests, this.#numbers);
  }

  /** Segments of the block table that `checkBlocks` found damaged. */
  damagedSegments(): readonly DamagedSegment[] {
    return [...this.#blocks.damaged];
  }

  /** Replaces damaged segments by their sound pages. The blocks of the other pages are in no segment until `relist`. */
  mendSegments(): void {
    this.#blocks.mend(this.#numbers);
  }

  /**
   * Records a placed shard and its blocks; durable when it resolves. In three steps: the record is written as `sealed`, which takes the
   * number; the blocks are listed; the record is written as `placed`. A run that dies in between leaves a number that is never used
   * again, and blocks that no lookup returns, because only placed shards count.
   */
  async addPlaced(shard: ShardRecord, digests: Pick<DigestMap, 'digests'>): Promise<void> {
    assertRoom(this.#dir);
    await this.#change((tables) => {
      void tables.shards.put(shard.number, { ...shard, state: 'sealed' });
      tables.strays.recordHolders(shard);
    });
    await this.#blocks.addInTurns(shard.number, digests.digests(), this.#numbers);
    await this.#change((tables) => void tables.shards.put(shard.number, shard));
    this.#countedBlocks?.add(shard.number);
  }

  /**
   * Commits a snapshot: it, its repository's head and the state of its shards change in one transaction, or not at all.
   * The contents of the entries files are durable already; their names become durable here, before the transaction.
   */
  async commit(repository: RepositoryRecord, snapshot: SnapshotRecord): Promise<void> {
    this.entries.sync(repository.name);
    assertRoom(this.#dir);
    await this.#change((tables) => {
      tables.replaceSnapshots([snapshot]);
      void tables.repositories.put(repository.name, repository);
    });
    this.entries.keepOnly(repository.name, repository.head);
  }

  /** Notes what is about to be put on peers, so that `prune` finds it even if the run dies. Durable when it resolves. */
  async noteStray(stray: Stray): Promise<void> {
    await this.#change(({ strays }) => strays.note(stray));
  }

  strays(): Stray[] {
    return this.#tables.strays.all();
  }

  /** Notes that the stray is not on these peers any more; without `peers`, that it is on none. */
  async dropStray(cid: string, peers?: readonly string[]): Promise<void> {
    await this.#change(({ strays }) => strays.drop(cid, peers));
  }

  /**
   * Notes that other peers hold a shard now, in all of its records, in one transaction. Peers that held it before are noted as having a
   * stray.
   */
  async relocate(cid: string, users: ShardUsers, peers: readonly string[]): Promise<void> {
    await this.#change((tables) => tables.relocate(cid, users, peers));
    this.#countedBlocks = undefined;
  }

  /** Forgets snapshots, all or none; their catalogues become strays. */
  async forget(repository: string, numbers: Iterable<number>): Promise<void> {
    await this.#change((tables) => tables.forget(repository, numbers));
  }

  /** Removes repositories with all of their snapshots, all or none. */
  async removeRepositories(names: readonly string[]): Promise<void> {
    const { removeRepositories } = await import('./repositories.ts');
    await removeRepositories(this.#dir, names, (change) => this.#change(change));
  }

  /** Gives a repository another name, and snapshots that have this name, all or none. */
  async renameRepository(from: string, repository: RepositoryRecord, snapshots: readonly SnapshotRecord[]): Promise<void> {
    const { renameRepository } = await import('./repositories.ts');
    await renameRepository(this.#dir, from, repository, snapshots, (change) => this.#change(change));
  }

  /** In one transaction: snapshots replace those with the same numbers, and the `dead` shards, which none of them needs, stop counting. */
  async replaceSnapshots(snapshots: readonly SnapshotRecord[], dead: Iterable<number>): Promise<void> {
    await this.#change((tables) => {
      tables.replaceSnapshots(snapshots);
      for (const number of dead) tables.setState(number, 'sealed');
    });
    this.#countedBlocks = undefined;
  }

  /** Drops the record of a shard that is on no peer any more; its number is never given out again. */
  async dropShard(number: number): Promise<void> {
    await this.#change((tables) => {
      void tables.meta.put('nextShard', this.nextShardNumber());
      void tables.shards.remove(number);
    });
    this.#countedBlocks = undefined;
  }

  /** Replaces the records of shards, with other peers or another state. */
  async updateShards(shards: readonly ShardRecord[]): Promise<void> {
    await this.#change((tables) => tables.replaceShards(shards));
    this.#countedBlocks = undefined;
  }

  /** Writes the record of a repository without a new snapshot. */
  async saveRepository(repository: RepositoryRecord): Promise<void> {
    await this.#change(({ repositories }) => void repositories.put(repository.name, repository));
  }

  /** Path of a file that exists while the repository's newest snapshot is not known to be whole, see `doubts.ts`. */
  doubtOf(repository: string): string {
    return doubtPath(this.#dir, repository);
  }

  async close(): Promise<void> {
    this.#openBlocks?.close();
    const tables = this.#openTables;
    if (tables === undefined) return;
    if (this.#options.readOnly !== true && this.#heads === undefined) writeHeadCache(this.#dir, tables.headCache(INDEX_FORMAT));
    await tables.root.close();
  }

  get #counted(): CountedBlocks {
    this.#countedBlocks ??= new CountedBlocks(this.shards());
    return this.#countedBlocks;
  }

  readonly #numbers = (): ReadonlySet<number> => new Set(this.#tables.shards.getKeys());

  get #tables(): Tables {
    this.#openTables ??= opening(this.#dir, () => new Tables(this.#dir, this.#options.readOnly === true));
    return this.#openTables;
  }

  get #blocks(): BlockTable {
    this.#openBlocks ??= opening(this.#dir, () => new BlockTable(join(this.#dir, 'blocks'), this.#options));
    return this.#openBlocks;
  }

  async #checkFormat(): Promise<void> {
    const found = formatOf(this.#tables, this.#dir);
    if (this.#options.readOnly === true) return;
    if (existsSync(join(this.#dir, 'renaming.json'))) {
      // A run that renamed a repository has died before it had moved all files.
      const { completeRenaming } = await import('./repositories.ts');
      completeRenaming(this.#dir, (name) => this.#tables.repositories.doesExist(name));
    }
    if (found === INDEX_FORMAT) return;
    await doubtHeads(this.#tables, found, (name) => this.doubtOf(name));
    await this.#change((tables) => bringUpToDate(tables, found));
    // A new index: its files were made durable one by one, the directories are now.
    for (const path of [join(this.#dir, 'tables'), this.#dir, dirname(this.#dir)]) syncDirectory(path);
  }

  /** Makes one transaction, durable when it resolves. The head cache is deleted before it, and written again by `close`. */
  async #change(change: (tables: Tables) => void): Promise<void> {
    const tables = this.#tables;
    dropHeadCache(this.#dir);
    this.#heads = undefined;
    this.isChanged = true;
    await tables.commit(() => change(tables));
  }
}
