/**
 * The index: what shardctl knows without asking a peer. All of it can be made again from snapshots and manifests, except stat data and
 * the records of placements under way. Small tables lie in LMDB, entries and the block table in files of their own.
 */
import { join } from 'node:path';
import type { DigestMap } from '../core/digest-map.ts';
import { makeDirectories } from '../core/durable-files.ts';
import type { RepositoryRecord, ShardRecord, ShardUsers, SnapshotRecord, Stray } from '../core/model.ts';
import { hasLoss, newestOf } from '../core/model.ts';
import { BlockTable } from './blocks/blocks.ts';
import { CountedBlocks } from './blocks/counted-blocks.ts';
import { type DamagedSegment, removeUnfinished } from './blocks/segment-files.ts';
import { EntriesFiles } from './entries/files.ts';
import { doubtPath } from './files/doubts.ts';
import { INDEX_FORMAT, opening, upgrade } from './format.ts';
import { assertRoom } from './free-space.ts';
import { assertKnowsHeads, hasTables, remakeLost } from './lost-index.ts';
import type { IndexOptions } from './options.ts';
import { dropHeadCache, type HeadCache, readHeadCache, writeHeadCache } from './tables/head-cache.ts';
import { Tables } from './tables/tables.ts';

export class Index {
  readonly #dir: string;
  readonly #options: IndexOptions;
  /** The entries of each repository's snapshots. What is written there counts from `commit` on. */
  readonly entries: EntriesFiles;
  /** The newest snapshots as the head cache has them: while it is valid, the tables stay closed. */
  #heads: HeadCache | undefined;
  #openTables: Tables | undefined;
  isChanged = false;
  #openBlocks: BlockTable | undefined;
  /** Has read the records of the shards in which blocks were looked up; dropped when records change. */
  #countedBlocks: CountedBlocks | undefined;

  /** Opens the index, and makes it unless `readOnly`, or one was lost. @throws ShardctlError `NEWER_FORMAT`, `NOT_FOUND`, `DAMAGE`, `IO` */
  static async open(dir: string, options: IndexOptions = {}): Promise<Index> {
    const index = new Index(dir, options);
    const isRemade = opening(dir, () => remakeLost(dir, options));
    if (options.readOnly !== true) {
      opening(dir, () => makeDirectories(join(dir, 'entries')));
      assertRoom(dir);
      if (options.sharing?.isAlone !== false) opening(dir, () => removeUnfinished(join(dir, 'blocks')));
    }
    if (hasTables(dir) && options.checkBlocks !== true) index.#heads = readHeadCache(dir, INDEX_FORMAT);
    try {
      if (index.#heads === undefined) await upgrade(index.#tables, dir, { ...options, isRemade }, (change) => index.#change(change));
      if (options.anew !== true) assertKnowsHeads(index, dir);
    } catch (error) {
      await index.#openTables?.root.close();
      throw error;
    }
    return index;
  }

  private constructor(dir: string, options: IndexOptions) {
    this.#dir = dir;
    this.#options = options;
    this.entries = new EntriesFiles(join(dir, 'entries'), options.readOnly === true);
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
    return [...this.eachSnapshot(repository)];
  }

  /** As `snapshots`, one at a time: each may name half a million shards. */
  eachSnapshot(repository: string): Iterable<SnapshotRecord> {
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

  currentShard(number: number): ShardRecord | undefined {
    return this.#tables.shards.get(number);
  }

  /** The number that the next shard gets: one more than the highest that was ever given out, even if that shard's record was dropped. */
  nextShardNumber(): number {
    return this.#tables.nextShardNumber();
  }

  /** Takes the number for a shard: no other shard gets it, nor does any other run. */
  async takeShardNumber(): Promise<number> {
    return await this.#add((tables) => tables.takeShardNumber());
  }

  /** Forgets what was read so far: for a run that has waited while others may have changed the home. */
  refresh(): void {
    if (this.#heads !== undefined) this.#heads = readHeadCache(this.#dir, INDEX_FORMAT);
    this.#openTables?.root.resetReadTxn();
    this.#countedBlocks = undefined;
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

  lists(shard: number, digest: Uint8Array, at = 0): boolean {
    return this.#blocks.get(digest, at, (candidate) => candidate === shard) !== undefined;
  }

  relist(shard: number, digests: Buffer): void {
    this.#blocks.add(shard, digests, this.#numbers);
  }

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
    await this.#add((tables) => {
      void tables.shards.put(shard.number, { ...shard, state: 'sealed' });
      tables.strays.recordHolders(shard);
    });
    await this.#blocks.addInTurns(shard.number, digests.digests(), this.#numbers);
    await this.#add((tables) => void tables.shards.put(shard.number, shard));
    this.#countedBlocks?.add(shard.number);
  }

  /** Commits a snapshot: it, its repository's head (or that the gate holds it back) and the state of its shards change in one transaction, after the names of its entries are durable. Also for one that is there, to change what became of it at the gate. */
  async commit(repository: RepositoryRecord, snapshot: SnapshotRecord): Promise<void> {
    this.entries.sync(repository.name);
    assertRoom(this.#dir);
    await this.#change((tables) => {
      tables.replaceSnapshots([snapshot]);
      void tables.repositories.put(repository.name, repository);
    });
    this.entries.keepOnly(repository.name, newestOf(repository));
  }

  /** Notes what is about to be put on peers, so that `prune` finds it even if the run dies. Durable when it resolves. */
  async noteStray(stray: Stray): Promise<void> {
    await this.#add(({ strays }) => strays.note(stray));
  }

  strays(): Stray[] {
    return this.#tables.strays.all();
  }

  /** Notes that the stray is not on these peers any more; without `peers`, on none. */
  async dropStray(cid: string, peers?: readonly string[]): Promise<void> {
    await this.#add(({ strays }) => strays.drop(cid, peers));
  }

  /** Notes that other peers hold a shard now, in all of its records. Peers that held it before are noted as having a stray. */
  async relocate(cid: string, users: ShardUsers, peers: readonly string[]): Promise<void> {
    await this.#change((tables) => tables.relocate(cid, users, peers));
    this.#countedBlocks = undefined;
  }

  /** As `relocate`, where these peers hold the shard as well as those that its records name by now. */
  async addHolders(cid: string, users: ShardUsers, peers: readonly string[]): Promise<void> {
    await this.#change((tables) => tables.addHolders(cid, users, peers));
    this.#countedBlocks = undefined;
  }

  /** @returns those that stay, because the IPNS name points at them by now */
  async forget(repository: string, numbers: readonly number[]): Promise<readonly number[]> {
    return await this.#change((tables) => tables.forgetUnpublished(repository, numbers));
  }

  async removeRepositories(names: readonly string[]): Promise<void> {
    const { removeRepositories } = await import('./repositories.ts');
    await removeRepositories(this.#dir, names, (change) => this.#change(change));
  }

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

  async dropShard(number: number): Promise<void> {
    await this.#change((tables) => {
      void tables.meta.put('nextShard', tables.nextShardNumber());
      void tables.shards.remove(number);
    });
    this.#countedBlocks = undefined;
  }

  async updateShards(shards: readonly ShardRecord[]): Promise<void> {
    await this.#change((tables) => tables.replaceShards(shards));
    this.#countedBlocks = undefined;
  }

  async saveRepository(repository: RepositoryRecord): Promise<void> {
    await this.#change(({ repositories }) => void repositories.put(repository.name, repository));
  }

  /** As `saveRepository`, if the snapshot that the record relies on is still there. @returns whether it is */
  async relyOn(repository: RepositoryRecord, snapshot: number): Promise<boolean> {
    return await this.#change((tables) => tables.relyOn(repository, snapshot));
  }

  /** Path of a file that exists while the repository's newest snapshot is not known to be whole, see `doubts.ts`. */
  doubtOf(repository: string): string {
    return doubtPath(this.#dir, repository);
  }

  async close(): Promise<void> {
    this.#openBlocks?.close();
    const tables = this.#openTables;
    if (tables === undefined) return;
    // In a transaction, so that no other run commits meanwhile. Without the cache the next run opens the tables, and is slower by that.
    if (this.#options.readOnly !== true && this.#heads === undefined)
      await tables.commit(() => writeHeadCache(this.#dir, tables.headCache(INDEX_FORMAT))).catch(() => {});
    await tables.root.close();
  }

  get #counted(): CountedBlocks {
    this.#countedBlocks ??= new CountedBlocks((shard) => this.currentShard(shard));
    return this.#countedBlocks;
  }

  /** As they are now: another run may have listed the blocks of a shard a moment ago, and its record was there before. */
  readonly #numbers = () => {
    this.#tables.root.resetReadTxn();
    return { has: (number: number) => this.#tables.shards.doesExist(number) };
  };

  get #tables(): Tables {
    this.#openTables ??= opening(this.#dir, () => new Tables(this.#dir, this.#options.readOnly === true));
    return this.#openTables;
  }

  get #blocks(): BlockTable {
    this.#openBlocks ??= opening(this.#dir, () => new BlockTable(join(this.#dir, 'blocks'), this.#options));
    return this.#openBlocks;
  }

  /**
   * Makes one transaction, durable when it resolves. The head cache is deleted within it, before anything changes, and written again by
   * `close`: while a transaction writes, LMDB lets no other one do so, and so nobody writes a head cache of what was before.
   */
  async #change<T>(change: (tables: Tables) => T): Promise<T> {
    return await this.#add((tables) => {
      dropHeadCache(this.#dir);
      this.#heads = undefined;
      return change(tables);
    });
  }

  /** As `#change`, for what changes nothing that the head cache says. It stays, so that others do without LMDB while a long run adds. */
  async #add<T>(change: (tables: Tables) => T): Promise<T> {
    const tables = this.#tables;
    this.isChanged = true;
    return await tables.commit(() => change(tables));
  }
}
