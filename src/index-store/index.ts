/**
 * The index: what shardctl knows without asking anybody. A cache of what snapshots and manifests say, except for stat data
 * and placements in flight. Small tables in LMDB; entries and blocks in files of their own, which are read front to back.
 */
import { mkdirSync, readdirSync, renameSync, rmSync, statfsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { type Database, open, type RootDatabase } from 'lmdb';
import type { DigestMap } from '../digest-map.ts';
import { syncDirectory } from '../durable.ts';
import { errnoOf, ioError, ShardctlError } from '../errors.ts';
import type { ByteString, ShardRecord, SnapshotRecord } from '../model.ts';
import { BlockTable } from './blocks.ts';
import { EntriesDamaged, type RootStat } from './entries-format.ts';
import { EntriesReader } from './entries-reader.ts';
import { EntriesWriter } from './entries-writer.ts';

/** Format of the index as a whole. A newer one is refused; an older one will be migrated. */
export const INDEX_FORMAT = 1;

/** A repository: where it comes from and how it is imported. */
export interface RepositoryRecord {
  readonly name: string;
  /** Absolute path. */
  readonly source: ByteString;
  /** Number of the newest committed snapshot; 0 before the first. */
  readonly head: number;
  readonly profile: string;
  readonly chunker: string | undefined;
  readonly metadata: boolean;
  /** rsync-style rules, see `scan/filter.ts`. */
  readonly filters: readonly ByteString[];
}

export class Index {
  readonly #dir: string;
  readonly #root: RootDatabase;
  readonly #repositories: Database<RepositoryRecord, string>;
  readonly #snapshots: Database<SnapshotRecord, [string, number]>;
  readonly #shards: Database<ShardRecord, number>;
  readonly #meta: Database<number, string>;
  readonly #blocks: BlockTable;
  /** Numbers of the shards that count, once they are asked for. */
  #placed: Set<number> | undefined;

  /** Opens the index, and makes it unless `readOnly`. @throws ShardctlError `NEWER_FORMAT`, `NOT_FOUND`, `IO` */
  static async open(dir: string, options: { readOnly?: boolean } = {}): Promise<Index> {
    const readOnly = options.readOnly === true;
    try {
      if (!readOnly) {
        mkdirSync(join(dir, 'entries'), { recursive: true });
        assertRoom(dir);
      }
      // Without `overlappingSync` a transaction's promise resolves when it is on disk, which is what every step here waits for.
      const root = open({ path: join(dir, 'tables'), maxDbs: 8, readOnly, overlappingSync: false });
      const index = new Index(dir, root, new BlockTable(join(dir, 'blocks'), readOnly));
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
    this.#repositories = root.openDB({ name: 'repositories', encoding: 'json' });
    this.#snapshots = root.openDB({ name: 'snapshots', encoding: 'json' });
    this.#meta = root.openDB({ name: 'meta', encoding: 'json' });
    this.#shards = root.openDB({ name: 'shards', encoding: 'json' });
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

  /** The number that the next shard gets: one more than any that was ever placed. */
  nextShardNumber(): number {
    const [last] = this.#shards.getKeys({ reverse: true, limit: 1 });
    return last === undefined ? 0 : last + 1;
  }

  /** A placed and `usable` shard that holds a block, by the digest that stands at `at`. */
  shardOf(digest: Uint8Array, at = 0, usable: (shard: number) => boolean = () => true): number | undefined {
    return this.#blocks.get(digest, at, (shard) => this.#isPlaced(shard) && usable(shard));
  }

  /**
   * Records a shard that is placed, and its blocks; durable when it resolves. Three steps: its number is taken, its blocks
   * are listed, it counts. A run that dies in between leaves a number that is never used again and blocks that nobody finds.
   */
  async addPlaced(shard: ShardRecord, digests: DigestMap): Promise<void> {
    assertRoom(this.#dir);
    await this.#shards.put(shard.number, { ...shard, state: 'sealed' });
    this.#blocks.add(shard.number, digests.digests());
    await this.#shards.put(shard.number, shard);
    this.#placed?.add(shard.number);
  }

  /**
   * Commits a snapshot: it, its repository's head and the state of its shards change in one transaction, or not at all.
   * The entries files are durable already; their names become it now.
   */
  async commit(repository: RepositoryRecord, snapshot: SnapshotRecord): Promise<void> {
    const { dir } = this.#entriesPaths(repository.name, repository.head);
    for (const path of [dir, dirname(dir)]) syncDirectory(path);
    assertRoom(this.#dir);
    await this.#root.transaction(() => {
      for (const number of snapshot.shards) {
        const shard = this.#shards.get(number);
        if (shard !== undefined && shard.state !== 'committed') void this.#shards.put(number, { ...shard, state: 'committed' });
      }
      void this.#snapshots.put([snapshot.repository, snapshot.number], snapshot);
      void this.#repositories.put(repository.name, repository);
    });
    this.#dropEntriesBefore(repository.name, repository.head);
  }

  /** Remembers a repository's settings without a new snapshot. */
  async saveRepository(repository: RepositoryRecord): Promise<void> {
    await this.#repositories.put(repository.name, repository);
  }

  /** The entries of a snapshot; undefined when they are lost or damaged, and then every file is read again. */
  readEntries(repository: string, number: number): EntriesReader | undefined {
    const { hot, cold } = this.#entriesPaths(repository, number);
    try {
      return new EntriesReader(hot, cold);
    } catch (error) {
      if (errnoOf(error) === 'ENOENT' || error instanceof EntriesDamaged) return undefined;
      throw error;
    }
  }

  writeEntries(repository: string, number: number, root: RootStat, isRacy: (ctimeNs: bigint) => boolean): EntriesWriter {
    const { dir, hot, cold } = this.#entriesPaths(repository, number);
    mkdirSync(dir, { recursive: true });
    return new EntriesWriter(hot, cold, root, isRacy);
  }

  async close(): Promise<void> {
    this.#blocks.close();
    await this.#root.close();
  }

  /** What comes from `writeEntries(repository, from)` takes the place of what snapshot `to` has. */
  moveEntries(repository: string, from: number, to: number): void {
    const source = this.#entriesPaths(repository, from);
    const target = this.#entriesPaths(repository, to);
    // A crash between the two leaves halves of different pairs, which is noticed: every file is read again then.
    renameSync(source.cold, target.cold);
    renameSync(source.hot, target.hot);
  }

  dropEntries(repository: string, number: number): void {
    const { hot, cold } = this.#entriesPaths(repository, number);
    rmSync(hot, { force: true });
    rmSync(cold, { force: true });
  }

  /** Only the head is ever compared with. */
  #dropEntriesBefore(repository: string, head: number): void {
    for (const name of readdirSync(this.#entriesPaths(repository, head).dir)) {
      const number = Number.parseInt(name, 10);
      if (number !== head) this.dropEntries(repository, number);
    }
  }

  readonly #isPlaced = (shard: number): boolean => {
    this.#placed ??= new Set([...this.shards()].filter(({ state }) => state !== 'sealed').map(({ number }) => number));
    return this.#placed.has(shard);
  };

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

  #entriesPaths(repository: string, number: number): { dir: string; hot: string; cold: string } {
    const dir = join(this.#dir, 'entries', encodeURIComponent(repository));
    return { dir, hot: join(dir, `${number}.hot`), cold: join(dir, `${number}.cold`) };
  }
}

/** A commit that finds the disk full may end LMDB with corrupted memory rather than an error (seen with lmdb 3.5): it must not get there. */
const LEAST_FREE_BYTES = 2 * 1024 * 1024;

function assertRoom(dir: string): void {
  const { bavail, bsize } = statfsSync(dir);
  if (bavail * bsize >= LEAST_FREE_BYTES) return;
  throw ioError(Object.assign(new Error('disk full'), { code: 'ENOSPC' }), 'writing the index', dir);
}
