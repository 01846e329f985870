/** The small tables of the index. The only file that loads LMDB, which takes 40 ms: an update that finds nothing to do does without. */
import { statSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import type { Database, RootDatabase } from 'lmdb';
import { behindCommit, errnoOf, ioError, isShortage, messageOf, ShardctlError } from '../../core/errors.ts';
import type { RepositoryRecord, ShardRecord, ShardUsers, SnapshotRecord } from '../../core/model.ts';
import { mayBePublished } from '../../snapshot/published.ts';
import { tagsWithout } from '../../snapshot/tag.ts';
import { assertMappable } from '../files/mapping.ts';
import { assertSound, damagedTables, notMade } from './check.ts';
import { checkedJson } from './checked-json.ts';
import { type HeadCache, MOST_CACHED_SHARDS } from './head-cache.ts';
import { Strays } from './strays.ts';

/** npm leaves a binary that it cannot fetch out of what it installs, without a word. */
function lmdb(): typeof import('lmdb') {
  try {
    return createRequire(import.meta.url)('lmdb') as typeof import('lmdb');
  } catch (cause) {
    // What the process has run out of is not a fault of what is installed.
    if (isShortage(cause)) throw cause;
    const [why = ''] = messageOf(cause).split('\n');
    throw new ShardctlError('IO', `lmdb has no binary here for this system: no index can be opened (${why})`, {
      hint: 'install shardctl again, where the registry can be reached and npm does not omit optional packages',
      cause,
    });
  }
}

export class Tables {
  readonly #dir: string;
  readonly root: RootDatabase;
  readonly repositories: Database<RepositoryRecord, string>;
  readonly snapshots: Database<SnapshotRecord, [string, number]>;
  readonly shards: Database<ShardRecord, number>;
  readonly strays: Strays;
  readonly meta: Database<number, string>;

  /**
   * @throws ShardctlError `DAMAGE` when the file is cut or overwritten, which would end the process if LMDB mapped it; `NOT_FOUND` when
   * it is read before the run that makes it has come to its end, or after that run has died
   */
  constructor(dir: string, readOnly: boolean) {
    this.#dir = dir;
    const path = join(dir, 'tables');
    const file = join(path, 'data.mdb');
    assertSound(file, dir);
    // LMDB opens an empty file, which it has not written to yet, to read from it, and dies of that.
    if (readOnly && statSync(file, { throwIfNoEntry: false })?.size === 0) throw notMade(dir);
    assertMappable(path, readOnly);
    const { open } = lmdb();
    // Without `overlappingSync` the promise of a transaction resolves when it is on disk, which all callers rely on.
    this.root = open({ path, maxDbs: 8, readOnly, overlappingSync: false });
    const checked = checkedJson(file, dir);
    this.repositories = this.root.openDB({ name: 'repositories', ...checked });
    this.snapshots = this.root.openDB({ name: 'snapshots', ...checked });
    // Without checksums, so that every version can read the format.
    this.meta = this.root.openDB({ name: 'meta', encoding: 'json' });
    this.shards = this.root.openDB({ name: 'shards', ...checked });
    this.strays = new Strays(this.root.openDB<readonly string[], string>({ name: 'strays', ...checked }));
    const isMade = this.#isMade();
    // The format is written after the empty databases were made, and before any record: those that have records without it are not new.
    if (!isMade && this.#hasRecords()) {
      void this.root.close();
      throw damagedTables(file, dir, 'does not say its format any more, and has records');
    }
    if (readOnly && !isMade) {
      void this.root.close();
      throw notMade(dir);
    }
    const misplaced = this.#misplacedSnapshot();
    if (misplaced === undefined) return;
    void this.root.close();
    throw damagedTables(file, dir, `has snapshot ${misplaced.number} of ${misplaced.repository} under a damaged key`);
  }

  /** Whether the run that makes the index has written the format, after all databases. Read-only, LMDB opens one that is not there as undefined. */
  #isMade(): boolean {
    const meta: Database<number, string> | undefined = this.meta;
    return meta?.get('format') !== undefined;
  }

  #hasRecords(): boolean {
    return ([this.repositories, this.snapshots, this.shards] as (Pick<Database, 'getKeys'> | undefined)[]).some((table) => {
      return [...(table?.getKeys({ limit: 1 }) ?? [])].length > 0;
    });
  }

  /** A snapshot that is not under its repository's name, because a bit of its key has flipped: `prune` would take its shards for unused. */
  #misplacedSnapshot(): SnapshotRecord | undefined {
    for (const key of this.snapshots.getKeys()) {
      // A key whose repository is not there may also come from a `recover` that died: it writes snapshots before their repository.
      const snapshot = this.repositories.doesExist(key[0]) ? undefined : this.snapshots.get(key);
      if (snapshot !== undefined && snapshot.repository !== key[0]) return snapshot;
    }
    return undefined;
  }

  /** One transaction, durable when it resolves. */
  async commit<T>(change: () => T): Promise<T> {
    try {
      return await this.root.transaction(change);
    } catch (error) {
      const cause = await behindCommit(error);
      throw errnoOf(cause) === undefined ? cause : ioError(cause, 'writing the index', this.#dir);
    }
  }

  /**
   * The records of all repositories, of their heads and of newer snapshots that the gate holds back, and of the shards that these need.
   * @returns undefined where these are too many for a file that is read as a whole
   */
  headCache(format: number): HeadCache | undefined {
    const repositories = [...this.repositories.getRange()].map(({ value }) => value);
    const snapshots = repositories.flatMap(({ name, head, held }) =>
      (held === undefined ? [head] : [head, held]).flatMap((number) => this.snapshots.get([name, number]) ?? []),
    );
    const numbers = new Set(snapshots.flatMap(({ shards }) => shards));
    if (numbers.size > MOST_CACHED_SHARDS) return undefined;
    const shards = [...numbers].flatMap((number) => this.shards.get(number) ?? []);
    return { format, repositories, snapshots, shards: new Map(shards.map((shard) => [shard.number, shard])) };
  }

  nextShardNumber(): number {
    const [last = -1] = this.shards.getKeys({ reverse: true, limit: 1 });
    return Math.max(last + 1, this.meta.get('nextShard') ?? 0);
  }

  /** Within a transaction. @returns a number that nobody else gets */
  takeShardNumber(): number {
    const number = this.nextShardNumber();
    void this.meta.put('nextShard', number + 1);
    return number;
  }

  /** Within a transaction. */
  setState(number: number, state: ShardRecord['state']): void {
    const shard = this.shards.get(number);
    // A lost shard does not become placed because a snapshot names it.
    if (shard !== undefined && (shard.state !== 'lost' || state === 'sealed') && shard.state !== state)
      void this.shards.put(number, { ...shard, state });
  }

  /** Within a transaction: removes snapshots with their tags; their catalogues become strays. */
  forget(repository: string, numbers: readonly number[]): void {
    this.#untag(repository, new Set(numbers));
    for (const number of numbers) {
      const key: [string, number] = [repository, number];
      const snapshot = this.snapshots.get(key);
      if (snapshot === undefined) continue;
      this.strays.recordHolders({ cid: snapshot.catalogue.cid, peers: [] }, snapshot.catalogue.peers);
      void this.snapshots.remove(key);
    }
  }

  /**
   * Within a transaction: as `forget`, without the snapshots at which the repository's IPNS name may point. Looked at here,
   * and not when it was decided what to forget: `publish` writes that before it gives the name away. @returns those that stay
   */
  forgetUnpublished(repository: string, numbers: readonly number[]): number[] {
    const record = this.repositories.get(repository) ?? {};
    const [stay, gone] = [true, false].map((is) => numbers.filter((number) => mayBePublished(record, number) === is));
    this.forget(repository, gone as number[]);
    return stay as number[];
  }

  /** Within a transaction: writes a record that relies on a snapshot, if that is still there. @returns whether it is */
  relyOn(repository: RepositoryRecord, snapshot: number): boolean {
    if (!this.snapshots.doesExist([repository.name, snapshot])) return false;
    void this.repositories.put(repository.name, repository);
    return true;
  }

  /** A tag that stayed would name the next snapshot of that number, of which `recover` may make one. */
  #untag(repository: string, forgotten: ReadonlySet<number>): void {
    const record = this.repositories.get(repository);
    if (record?.tags === undefined) return;
    const { tags: before, ...untagged } = record;
    const tags = tagsWithout(before, (_, snapshot) => forgotten.has(snapshot));
    void this.repositories.put(repository, tags === undefined ? untagged : { ...untagged, tags });
  }

  /** Within a transaction: writes snapshots, in place of those with the same numbers. */
  replaceSnapshots(snapshots: readonly SnapshotRecord[]): void {
    for (const snapshot of snapshots) {
      const key: [string, number] = [snapshot.repository, snapshot.number];
      const before = this.snapshots.get(key);
      if (before !== undefined && before.catalogue.cid !== snapshot.catalogue.cid)
        this.strays.recordHolders({ cid: before.catalogue.cid, peers: [] }, before.catalogue.peers);
      this.strays.recordHolders(snapshot.catalogue);
      void this.snapshots.put(key, snapshot);
      for (const number of snapshot.shards) this.setState(number, 'committed');
    }
  }

  /** Within a transaction: removes a repository with all of its snapshots. */
  remove(repository: string): void {
    this.forget(
      repository,
      Array.from(this.snapshotsOf(repository), ({ number }) => number),
    );
    void this.repositories.remove(repository);
  }

  /** Within a transaction: removes the repository `from`, and writes it under its new name with snapshots that have that name. */
  rename(from: string, repository: RepositoryRecord, snapshots: readonly SnapshotRecord[]): void {
    this.remove(from);
    this.replaceSnapshots(snapshots);
    void this.repositories.put(repository.name, repository);
  }

  /** Oldest first. */
  *snapshotsOf(repository: string): Iterable<SnapshotRecord> {
    const range = { start: [repository, 0] as [string, number], end: [repository, Number.MAX_SAFE_INTEGER] as [string, number] };
    for (const { value } of this.snapshots.getRange(range)) yield value;
  }

  /** Within a transaction. */
  replaceShards(shards: readonly ShardRecord[]): void {
    for (const shard of shards) {
      void this.shards.put(shard.number, shard);
      this.strays.recordHolders(shard);
    }
  }

  /** Within a transaction: changes the peers in each record of a shard. Peers that held it before are noted as having a stray. */
  relocate(cid: string, users: ShardUsers, peers: readonly string[]): void {
    const before: string[] = [];
    for (const number of users.shards) {
      const shard = this.shards.get(number);
      if (shard?.cid !== cid) continue;
      before.push(...shard.peers);
      void this.shards.put(number, { ...shard, peers });
    }
    for (const key of users.snapshots) {
      const snapshot = this.snapshots.get(key);
      if (snapshot?.catalogue.cid !== cid) continue;
      before.push(...snapshot.catalogue.peers);
      void this.snapshots.put(key, { ...snapshot, catalogue: { ...snapshot.catalogue, peers } });
    }
    this.strays.recordHolders({ cid, peers }, before);
  }

  /** Within a transaction: adds peers to each record of a shard. */
  addHolders(cid: string, users: ShardUsers, peers: readonly string[]): void {
    const withThese = (before: readonly string[]) => [...new Set([...before, ...peers])].sort();
    for (const number of users.shards) {
      const shard = this.shards.get(number);
      if (shard?.cid === cid) void this.shards.put(number, { ...shard, peers: withThese(shard.peers) });
    }
    for (const key of users.snapshots) {
      const snapshot = this.snapshots.get(key);
      if (snapshot?.catalogue.cid !== cid) continue;
      void this.snapshots.put(key, { ...snapshot, catalogue: { ...snapshot.catalogue, peers: withThese(snapshot.catalogue.peers) } });
    }
    this.strays.drop(cid, peers);
  }
}
