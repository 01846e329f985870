/** The pending entries: what interrupted runs imported and did not commit, and what this run imports, in case that it is interrupted. */
import { type ByteString, type CidProfile, hasLoss, type ShardRecord } from '../core/model.ts';
import type { Index } from '../index/index.ts';
import { PendingFiles } from '../index/pending/files.ts';
import { PENDING_VERSION, type PendingHeader, RE_ROOTED_ROWS, READ_ROWS, type ShardName } from '../index/pending/format.ts';
import { PendingReader } from '../index/pending/reader.ts';
import { PendingWriter } from '../index/pending/writer.ts';
import type { UsableShards } from '../storing/usable-shards.ts';
import type { PendingSource } from './compare/resume.ts';
import type { Parent } from './parent.ts';

export interface PendingOptions {
  readonly repository: string;
  readonly source: ByteString;
  readonly profile: CidProfile;
  readonly metadata: boolean;
  /** Directory with a directory per repository. */
  readonly pending: string;
  readonly index: Index;
  readonly usableShards: UsableShards;
  /** Whether the run may count on a shard that is there (`usableIn`). */
  readonly usable: (shard: number) => boolean;
  readonly parent: Parent | undefined;
  /** Whether a file with this ctime may still change within the clock tick in which it was scanned. */
  readonly isRacy: (ctimeNs: bigint) => boolean;
}

export class Pending {
  /** Entries of earlier runs, of the latest first. */
  readonly sources: readonly PendingSource[];
  /** Shards that hold the blocks of files which were not read again. */
  readonly shards = new Set<number>();
  readonly writer: PendingWriter;
  readonly #files: PendingFiles;
  readonly #readers: PendingReader[];

  constructor(options: PendingOptions) {
    const { repository, source, profile, metadata, pending, index, usableShards, usable, parent, isRacy } = options;
    const header: PendingHeader = {
      version: PENDING_VERSION,
      source,
      profile,
      metadata,
      // Root nodes that are made anew come from the parent's: without its entries there are none.
      parent: parent?.entries === undefined ? null : parent.snapshot.cid,
    };
    const isThere = ([number, cid]: ShardName) => {
      const shard = index.shard(number);
      return shard?.cid === cid && shard.state !== 'sealed' && !hasLoss(shard) && usable(number) && usableShards.isHeld(number);
    };
    this.#files = new PendingFiles(pending, repository);
    this.#readers = this.#files.paths().map((path) => new PendingReader(path, isThere));
    this.sources = this.#readers.toReversed().flatMap((reader) => this.#sourcesOf(reader, header));
    const cidOf = (shard: number) => (index.shard(shard) as ShardRecord).cid;
    this.writer = new PendingWriter(this.#files.nextPath(), header, { isRacy, cidOf });
  }

  async close(): Promise<void> {
    await this.writer.close();
    for (const reader of this.#readers.splice(0)) reader.close();
  }

  /** Removes all pending files, when everything is committed. They are closed first: NFS and FUSE keep a file that is removed while it is open under another name, or do not remove it. */
  async drop(): Promise<void> {
    await this.close();
    this.#files.drop();
  }

  #sourcesOf(reader: PendingReader, { parent, ...own }: PendingHeader): PendingSource[] {
    if (reader.shards.length === 0 || reader.header === undefined) return [];
    const { parent: madeFrom, ...its } = reader.header;
    if (JSON.stringify(its) !== JSON.stringify(own)) return [];
    const onTaken = () => {
      for (const shard of reader.shards) this.shards.add(shard);
    };
    const sources = [{ records: reader.records(READ_ROWS), onTaken }];
    if (madeFrom !== null && madeFrom === parent) sources.push({ records: reader.records(RE_ROOTED_ROWS), onTaken });
    return sources;
  }
}
