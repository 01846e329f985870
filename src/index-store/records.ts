/** What stands in the tables besides shards and snapshots. */
import type { ByteString } from '../model.ts';

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

/** Where a shard is recorded: two records may stand for one, and a catalogue has no number. */
export interface ShardUsers {
  readonly shards: readonly number[];
  readonly snapshots: readonly [repository: string, number: number][];
}
