/**
 * The nouns of the program, as plain data. Imports but the words of the gate, and computes next to nothing.
 *
 * Names of files are *bytes* on Unix, and old mirrors hold names that are not UTF-8. They travel as "byte strings":
 * JS strings whose char codes are the bytes (latin1), so that comparing two of them compares bytes and nothing is lost.
 */
import type { Judgement, OwnGate } from './verdict.ts';

/** A name or path as bytes: one char (0…255) a byte. `Buffer.from(s, 'latin1')` gives the bytes back. */
export type ByteString = string;

/** Every block is addressed by sha2-256: 32 bytes. */
export const DIGEST_BYTES = 32;

/** Blocks that a shard may have: a bound on what a stranger's manifest makes us hold. Our own shards are sealed long before. */
export const MAX_SHARD_BLOCKS = 2 ** 24;

/** Multicodec of a block whose bytes are data. */
export const RAW = 0x55;
/** Multicodec of a block that is a dag-pb node. */
export const DAG_PB = 0x70;
export type Codec = typeof RAW | typeof DAG_PB;

/** A block's address as bytes: the hot path carries these instead of CID objects. */
export interface BlockId {
  readonly codec: Codec;
  /** sha2-256 of the block, 32 bytes. */
  readonly digest: Uint8Array;
}

/** What is behind a link: its block, and the bytes of the whole DAG below it (dag-pb's Tsize). */
export interface Root extends BlockId {
  readonly dagSize: number;
}

/** UnixFS 1.5 metadata as it stands in an entry's root node. */
export interface Metadata {
  /** Permission bits, 07777 at most. Absent on symlinks: Kubo writes none there. */
  readonly mode?: number;
  /** Modification time in nanoseconds since 1970; may be negative. */
  readonly mtimeNs?: bigint;
}

/** How bytes become CIDs: the parameters of IPIP-499's profiles. */
export interface CidProfile {
  readonly name: string;
  readonly cidVersion: 0 | 1;
  /** Leaves are raw blocks, rather than dag-pb nodes that wrap the bytes. */
  readonly rawLeaves: boolean;
  readonly chunker: ChunkerOptions;
  /** Most links of a file node. */
  readonly maxFileLinks: number;
  /** A directory becomes a HAMT directory when its estimated size is over this many bytes. */
  readonly hamtThreshold: number;
  /** What is estimated: the encoded block, or the bytes of names and CIDs. */
  readonly hamtEstimate: 'block' | 'links';
}

export type ChunkerOptions =
  | { readonly kind: 'size'; readonly bytes: number }
  | { readonly kind: 'rabin'; readonly min: number; readonly avg: number; readonly max: number };

/** Kind of an entry, as held in one byte of the index. */
export const FILE = 1;
export const DIRECTORY = 2;
export const SYMLINK = 3;
export type EntryKind = typeof FILE | typeof DIRECTORY | typeof SYMLINK;

/** Replicas of a shard: the fewest that count as placed, and the most that are made. -1 means every peer. */
export interface Replication {
  readonly min: number;
  readonly max: number;
}

/** The peers of a home, for counting replicas: a drained peer is not among "every peer". */
export type CountedPeers = ReadonlyMap<string, { readonly drained?: boolean }>;

/** With fewer replicas than this a shard does not count as placed. */
export function leastReplicas({ min }: Replication, peers: CountedPeers): number {
  return Math.max(1, min < 0 ? takers(peers) : min);
}

/** Replicas of a shard that are made when there is room for them. */
export function mostReplicas({ max }: Replication, peers: CountedPeers): number {
  return Math.max(1, max < 0 ? takers(peers) : max);
}

function takers(peers: CountedPeers): number {
  return [...peers.values()].filter(({ drained }) => drained !== true).length;
}

/**
 * Infers from where its shards are which replication a repository was given: the largest number of peers such that at least half of
 * its bytes are on as many or more. Undefined when that is one, because one is also the default.
 */
export function replicationSeen(shards: readonly Pick<PlacedShard, 'bytes' | 'peers'>[]): Replication | undefined {
  const total = shards.reduce((sum, { bytes }) => sum + bytes, 0);
  let bytes = 0;
  for (const shard of shards.toSorted((a, b) => b.peers.length - a.peers.length)) {
    bytes += shard.bytes;
    const count = shard.peers.length;
    if (bytes * 2 >= total) return count > 1 ? { min: count, max: count } : undefined;
  }
  return undefined;
}

/** A disk of this machine. */
export interface Disk {
  /** Its device number: peers with the same one lie on one disk. */
  readonly id: string;
  readonly freeBytes: number;
}

/** What a peer says it can take, and when it said so. */
export interface Metric {
  readonly freeBytes: number;
  readonly usedBytes: number;
  /** The disk of a local peer, whose free bytes other peers may count as theirs, too. Absent where it does not say what is free. */
  readonly disk?: Disk;
  /** Milliseconds since 1970. */
  readonly at: number;
}

/**
 * sealed → placed → committed: how far a shard has come. A `sealed` shard does not count: it is not placed yet, or `prune` has set it
 * back before deleting it. Of a `lost` one it is not known any more which blocks it had, or more of them are lost than MOST_BAD_BLOCKS.
 */
export type ShardState = 'sealed' | 'placed' | 'committed' | 'lost';

/** A shard that is on peers. */
export interface PlacedShard {
  /** CID of the shard's UnixFS file, as text. */
  readonly cid: string;
  /** Bytes of its blocks; the UnixFS file's size. */
  readonly bytes: number;
  readonly blocks: number;
  /** Size of its CAR: what it takes on a peer. */
  readonly carBytes: number;
  /** Names of the peers that hold it. */
  readonly peers: readonly string[];
}

/** One shard as the index knows it. */
export interface ShardRecord extends PlacedShard {
  readonly number: number;
  /** Bytes of its blocks and its manifest: the Tsize of a link to it. */
  readonly dagSize: number;
  readonly state: ShardState;
  /**
   * Digests, in hex, of its blocks that no replica had intact when the shard was last read. These count as absent, so the next run that
   * meets them stores them again; its other blocks count. Absent when the shard was whole, and never longer than MOST_BAD_BLOCKS: with
   * more, the shard is `lost`.
   */
  readonly bad?: readonly string[];
}

/** A longer list is not kept, because every run reads the record. */
export const MOST_BAD_BLOCKS = 4096;

/** Whether blocks of the shard could not be had when it was last read. Only reading it again can show that it is whole. */
export function hasLoss({ state, bad }: Pick<ShardRecord, 'state' | 'bad'>): boolean {
  return state === 'lost' || bad !== undefined;
}

/** A home, as others see it on a peer that they share: its ID, and where it is, for people. */
export interface Owner {
  readonly id: string;
  /** Name of its machine. */
  readonly host: string;
  readonly path: string;
}

/** What may be on peers although no snapshot needs it: `prune` removes it. */
export interface Stray {
  /** CID of a shard or a catalogue. */
  readonly cid: string;
  /** Names of the peers that may hold it. */
  readonly peers: readonly string[];
}

/** One committed state of a repository. */
export interface SnapshotRecord {
  readonly repository: string;
  readonly number: number;
  /** CID of the snapshot directory. */
  readonly cid: string;
  /** CID of its `tree/`. */
  readonly tree: string;
  readonly parent: string | null;
  /** RFC 3339. */
  readonly time: string;
  readonly counts: EntryCounts;
  /** Bytes of all files. */
  readonly bytes: number;
  readonly shards: readonly number[];
  /** The shard of the snapshot's own blocks; it has no number. */
  readonly catalogue: PlacedShard;
  readonly profile: string;
  /** Whether mode and mtime are in the tree. */
  readonly metadata: boolean;
  /** The program that made it, as `snapshot.json` says: with it the catalogue can be made again from this record. */
  readonly tool: string;
  /**
   * The command that brought it here from elsewhere: what is in it may be anybody's. Absent when this home made it from a source, and
   * in records from before this was noted.
   */
  readonly broughtBy?: 'import-car' | 'recover';
  /** What became of it at the gate; absent when no gate has judged it. */
  readonly gate?: Judgement;
}

/** Number of the newest snapshot, held back or not: an update compares the source with it. 0 before the first. */
export function newestOf({ head, held }: Pick<RepositoryRecord, 'head' | 'held'>): number {
  return held ?? head;
}

/** Whether the gate holds the snapshot back: readers who ask for the newest, or for a date, are not given it. */
export function isHeld({ gate }: Pick<SnapshotRecord, 'gate'>): boolean {
  return gate?.outcome === 'held';
}

/** As people name it, and the command line takes it. */
export function snapshotName({ repository, number }: Pick<SnapshotRecord, 'repository' | 'number'>): string {
  return `${repository}@${number}`;
}

export interface EntryCounts {
  readonly files: number;
  readonly directories: number;
  readonly symlinks: number;
}

/** What a repository asks of upkeep, where it is not what the home asks; each as text, as `shardctl config` takes it. */
export interface Upkeep {
  /** Which snapshots `check` keeps: rules such as `daily=7,within=30d`, or `all`. */
  readonly keep?: string;
  /** Commands that the shell runs after a commit, and when something is wrong; or `none`. */
  readonly onCommit?: string;
  readonly onProblem?: string;
}

/** A repository: where it comes from and how it is imported. */
export interface RepositoryRecord {
  readonly name: string;
  /** Absolute path. */
  readonly source: ByteString;
  /** Number of the newest committed snapshot that no gate holds back; 0 before the first. */
  readonly head: number;
  /** Number of the newest snapshot while it is newer than the head, because the gate holds it back. */
  readonly held?: number;
  /** What it asks of the gate, as `add` was told; absent for the home's own setting. */
  readonly gate?: OwnGate;
  readonly profile: string;
  readonly chunker: string | undefined;
  readonly metadata: boolean;
  /** rsync-style rules, see `update/scan/filter.ts`. */
  readonly filters: readonly ByteString[];
  /** A symlink to something inside the source is stored as what it leads to; absent where symlinks are stored as such. */
  readonly copyLinks?: true;
  /** Replicas of each shard that its snapshots need, as `add` was told; absent for the home's own setting. */
  readonly replication?: Replication;
  /** Names of allocators, in the order in which they decide, as `add` was told; absent for the home's own setting. */
  readonly allocateBy?: readonly string[];
  /** Absent where it asks for nothing of its own. */
  readonly upkeep?: Upkeep;
  /** Every name that `rename` has taken from it: who made it private by that name means it still (`serve/access`). */
  readonly renamedFrom?: readonly string[];
  /** Names that it had before, as long as a Kubo may have a key by that name: see `exchange/publish.ts`. */
  readonly formerNames?: readonly string[];
  /** Number of the snapshot to which `publish` has rolled the IPNS name back: it is not forgotten. Absent where the name follows the head. */
  readonly published?: number;
  /** Numbers of those to which runs began to move it since it was last seen to move, the latest last: they are not forgotten either. */
  readonly publishing?: readonly number[];
  /** Numbers of snapshots, by the tags that they were given; absent where there is none. Tags are compared by their own properties. */
  readonly tags?: Tags;
}

/** By tag, the number of the snapshot that has it. A tag names one snapshot, and a snapshot may have several. */
export type Tags = Readonly<Record<string, number>>;

/** Which stat data decide whether a file is read again. With nothing set, its content counts as unchanged only if all of them are. */
export interface Trust {
  /** Another ctime alone is no change; a chmod then reads nothing. */
  readonly ignoreCtime: boolean;
  /** Another inode alone is no change, also while a run goes on: for file systems that number anew at each mount, or at each look-up. */
  readonly ignoreInode: boolean;
  /** Believe nothing: every file is read. */
  readonly checksum: boolean;
}

/** The records that name a shard's CID: several numbers may have one CID, and a catalogue has no number but stands in a snapshot's record. */
export interface ShardUsers {
  readonly shards: readonly number[];
  readonly snapshots: readonly [repository: string, number: number][];
}
