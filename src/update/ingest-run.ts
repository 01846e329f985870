/** What a run is given. */
import type { Emit } from '../core/events.ts';
import type { ByteString, CidProfile, Trust } from '../core/model.ts';
import type { Index } from '../index/index.ts';
import type { Peer } from '../peer/peer.ts';
import type { Demand } from '../storing/demand.ts';
import type { TransferLimits } from '../storing/place/placer.ts';
import type { MaxDelete } from './deletion-guard.ts';
import type { SecondThread } from './scan/second-thread.ts';

export interface IngestRun extends TransferLimits, Demand {
  readonly repository: string;
  /** Absolute path of the directory to import. */
  readonly source: ByteString;
  /** Mode and mtime go into the tree. */
  readonly metadata: boolean;
  readonly profile: CidProfile;
  /** The chunker as it was asked for, if not the profile's own. */
  readonly chunker: string | undefined;
  /** rsync-style rules, `- PATTERN` or `+ PATTERN`. */
  readonly filters: readonly ByteString[];
  /** Store symlinks that lead to something inside the source as that. */
  readonly copyLinks: boolean;
  readonly trust: Trust;
  /** Most entries of the parent that may be gone; undefined for no limit. */
  readonly maxDelete: MaxDelete | undefined;
  /** Tell of each change, as an event. */
  readonly itemize: boolean;
  /** Directory for shards on their way to peers; emptied at the start. */
  readonly spool: string;
  /** Directory with a file per repository that holds the CID of its newest snapshot. */
  readonly heads: string;
  /** Directory with what interrupted runs imported, by repository. */
  readonly pending: string;
  readonly index: Index;
  readonly peers: ReadonlyMap<string, Peer>;
  /** What the repository asks for itself, and is remembered by; `replication` and `allocateBy` are that, or else the home's. */
  readonly ownDemand: Partial<Demand>;
  readonly shardBytes: number;
  /** For the sweep, where one is up already. */
  readonly secondThread?: SecondThread | undefined;
  readonly toolVersion: string;
  readonly emit: Emit;
  readonly signal: AbortSignal;
  /** Milliseconds since 1970. */
  readonly now: () => number;
}
