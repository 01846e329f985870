/**
 * One directory of the source on its way through the pipeline. The record is made by `scan`, and every stage after it
 * fills the columns that are its own: `compare` the states, `import` the CIDs of files, `link` those of symlinks and
 * subdirectories. Columns, because a million entries as objects would be hundreds of megabytes of heap.
 */
import { type ByteString, type Codec, DIGEST_BYTES, type EntryCounts, type EntryKind, type Root } from './model.ts';

/** Bytes of one entry in the `cids` column: its codec, then its digest. */
export const CID_COLUMN_BYTES = 1 + DIGEST_BYTES;

/** A ctime that no file has (0 is what images and some FUSE file systems report): the entry is looked at again. */
export const NO_CTIME = -(2n ** 63n);

/** Bytes of one entry in all columns but the CIDs. */
const COLUMN_BYTES = 36;

/** What the pipeline has to do about an entry. */
export const NEW = 1;
/** In the parent too, but its kind, content or metadata may differ. */
export const CHANGED = 2;
/** As in the parent: its CID is taken over and nothing is read. */
export const SAME = 3;
/** Not in the snapshot: excluded, special, vanished, or unreadable with no version in the parent. */
export const DROPPED = 4;
/** Could not be read: the parent's version stays, where there is one. `compare` turns it into SAME or DROPPED. */
export const UNREADABLE = 5;
/** A file with the parent's content and another mode: its root node is made anew from the parent's, and no data is read. */
export const METADATA = 6;
export type EntryState = typeof NEW | typeof CHANGED | typeof SAME | typeof DROPPED | typeof UNREADABLE | typeof METADATA;

/** Bits of `differences`: in what an entry that is CHANGED or METADATA differs from the parent's. None: only in ctime or inode. */
export const KIND_DIFFERS = 1;
export const SIZE_DIFFERS = 2;
export const MTIME_DIFFERS = 4;
export const MODE_DIFFERS = 8;

/** What lstat says of one entry, in full precision. */
export interface EntryStat {
  readonly mode: number;
  readonly size: number;
  readonly mtimeNs: bigint;
  readonly ctimeNs: bigint;
  readonly inode: bigint;
}

/** Where a directory stands in the parent's entries. */
export interface BaseDirectory {
  /** Position in walk order: the key of its cold part. */
  readonly ordinal: number;
  /** For each entry its position in the parent's record, or -1. */
  readonly indexes: Int32Array;
  /** Kinds of the entries of the parent's record. */
  readonly kinds: Uint8Array;
  /** Entries of the parent's record that are not here any more. */
  readonly removed: readonly ByteString[];
  /** How many entries the parent's record has. */
  readonly count: number;
}

/** The parent snapshot's record of a directory, column by column. */
export interface ParentRecord {
  /** Position in walk order. */
  readonly ordinal: number;
  readonly path: ByteString;
  readonly names: readonly ByteString[];
  readonly kinds: Uint8Array;
  readonly modes: Uint16Array;
  readonly sizes: Float64Array;
  readonly mtimes: BigInt64Array;
  readonly ctimes: BigInt64Array;
  readonly inodes: BigUint64Array;
}

/** What is known of a directory without listing it. */
export interface Recalled {
  /** As the parent has it; valid until the walk goes on. */
  readonly record: ParentRecord;
  /** Positions of the entries whose stat data are not the parent's. */
  readonly touched: Uint32Array;
}

/** A subtree of the parent in which nothing differs. */
export interface SameSubtree extends EntryCounts {
  /** Of its top, in walk order. */
  readonly ordinal: number;
  /** Directories in it, the top included. */
  readonly length: number;
  /** Bytes of its files. */
  readonly bytes: number;
}

export class Directory {
  /** Path from the root of the source; the root itself is ''. */
  readonly path: ByteString;
  readonly parent: Directory | undefined;
  /** Position in the parent directory's columns; -1 for the root. */
  readonly indexInParent: number;
  /** Entry names, sorted by bytes. */
  readonly names: readonly ByteString[];
  readonly kinds: Uint8Array;
  /** Permission bits, 07777. */
  readonly modes: Uint16Array;
  readonly sizes: Float64Array;
  /** Nanoseconds since 1970, modulo 2^64: enough to compare. `exactMtimes` has the few that do not fit (year 2262 and later). */
  readonly mtimes: BigInt64Array;
  readonly ctimes: BigInt64Array;
  readonly inodes: BigUint64Array;
  readonly states: Uint8Array;
  exactMtimes: Map<number, bigint> | undefined;
  /** Set by compare, a byte an entry. Made when the first difference is met. */
  differences: Uint8Array | undefined;
  /** The parent snapshot's record of this directory. */
  base: BaseDirectory | undefined;
  /** It could not be listed: it has no entries here, and `compare` puts the parent's subtree in its place. */
  readonly unreadable: boolean;
  /** The parent's record stands in for what could not be listed. */
  kept = false;

  /** Entries that were imported again and turned out as in the parent: only their stat data are new. */
  refreshed = 0;

  /** Set by compare, a byte an entry: the CID is what an interrupted run found, and is here already. */
  resumed: Uint8Array | undefined;

  /** count × 33 bytes; filled in by import and link. Made when the first CID is known: an untouched directory needs none. */
  cids: Buffer | undefined;
  dagSizes: Float64Array | undefined;

  constructor(path: ByteString, parent: Directory | undefined, indexInParent: number, names: readonly ByteString[], unreadable = false) {
    const count = names.length;
    this.unreadable = unreadable;
    this.path = path;
    this.parent = parent;
    this.indexInParent = indexInParent;
    this.names = names;
    // One allocation, not eight: most directories are small, and a no-op over a million files makes nothing but these.
    const columns = new ArrayBuffer(count * COLUMN_BYTES);
    this.sizes = new Float64Array(columns, 0, count);
    this.mtimes = new BigInt64Array(columns, count * 8, count);
    this.ctimes = new BigInt64Array(columns, count * 16, count);
    this.inodes = new BigUint64Array(columns, count * 24, count);
    this.modes = new Uint16Array(columns, count * 32, count);
    this.kinds = new Uint8Array(columns, count * 34, count);
    this.states = new Uint8Array(columns, count * 35, count).fill(NEW);
  }

  /** A directory whose entries are all as the parent's record has them. */
  static asInParent(record: ParentRecord, parent: Directory | undefined, indexInParent: number): Directory {
    const { ordinal, names } = record;
    const directory = new Directory(record.path, parent, indexInParent, names);
    directory.kinds.set(record.kinds);
    directory.modes.set(record.modes);
    directory.sizes.set(record.sizes);
    directory.mtimes.set(record.mtimes);
    directory.ctimes.set(record.ctimes);
    directory.inodes.set(record.inodes);
    directory.states.fill(SAME);
    const indexes = Int32Array.from(names, (_, i) => i);
    directory.base = { ordinal, indexes, kinds: directory.kinds, removed: [], count: names.length };
    return directory;
  }

  get count(): number {
    return this.names.length;
  }

  setStat(index: number, kind: EntryKind, stat: EntryStat): void {
    this.kinds[index] = kind;
    this.modes[index] = stat.mode & 0o7777;
    this.sizes[index] = stat.size;
    this.mtimes[index] = stat.mtimeNs;
    this.ctimes[index] = stat.ctimeNs;
    this.inodes[index] = stat.inode;
    if (this.mtimes[index] === stat.mtimeNs) {
      this.exactMtimes?.delete(index);
    } else {
      this.exactMtimes ??= new Map();
      this.exactMtimes.set(index, stat.mtimeNs);
    }
  }

  /** Whether an entry of this directory, or anything below it, differs from the parent. Its own metadata are an entry's, one level up. */
  get differs(): boolean {
    if (this.base === undefined || this.base.removed.length > 0) return true;
    for (let i = 0; i < this.count; i++) {
      const state = this.states[i];
      if (state === NEW || state === CHANGED || state === METADATA || (state === DROPPED && (this.base.indexes[i] as number) >= 0))
        return true;
    }
    return false;
  }

  /** Positions of the entries that are in the snapshot. */
  live(): number[] {
    const live: number[] = [];
    for (let i = 0; i < this.count; i++) if (this.states[i] !== DROPPED) live.push(i);
    return live;
  }

  /** The snapshot goes without this entry. */
  drop(index: number): void {
    this.states[index] = DROPPED;
  }

  /**
   * An entry that could not be read: the parent's version stays if there is one of the same kind, with a ctime that makes
   * the next run try again; else the snapshot goes without it. Returns whether it stays.
   */
  keepOrDrop(index: number): boolean {
    const at = this.base?.indexes[index] ?? -1;
    const kept = at >= 0 && this.base?.kinds[at] === this.kinds[index];
    this.states[index] = kept ? SAME : DROPPED;
    this.markStale(index);
    return kept;
  }

  /** Whether an interrupted run imported this version of the entry. */
  isResumed(index: number): boolean {
    return this.resumed !== undefined && this.resumed[index] === 1;
  }

  /** Makes the next run look at the entry again. */
  markStale(index: number): void {
    this.ctimes[index] = NO_CTIME;
  }

  mtimeNs(index: number): bigint {
    return this.exactMtimes?.get(index) ?? (this.mtimes[index] as bigint);
  }

  setRoot(index: number, codec: Codec, digest: Uint8Array, digestAt: number, dagSize: number): void {
    if (this.cids === undefined) this.cids = Buffer.alloc(this.count * CID_COLUMN_BYTES);
    if (this.dagSizes === undefined) this.dagSizes = new Float64Array(this.count);
    this.cids[index * CID_COLUMN_BYTES] = codec;
    this.cids.set(digest.subarray(digestAt, digestAt + DIGEST_BYTES), index * CID_COLUMN_BYTES + 1);
    this.dagSizes[index] = dagSize;
  }

  rootOf(index: number): Root {
    if (this.cids === undefined || this.dagSizes === undefined) throw new Error(`no CID yet in ${this.path}`);
    const at = index * CID_COLUMN_BYTES;
    return {
      codec: this.cids[at] as Codec,
      digest: this.cids.subarray(at + 1, at + CID_COLUMN_BYTES),
      dagSize: this.dagSizes[index] as number,
    };
  }
}

/** All entries of a directory but its subdirectories have their CIDs. */
export interface FilledStep {
  readonly kind: 'filled';
  readonly directory: Directory;
}

export function isFilled(step: { readonly kind: string }): step is FilledStep {
  return step.kind === 'filled';
}

/** In the place of a subdirectory: nothing in it differs. */
export interface SameStep {
  readonly kind: 'same';
  readonly subtree: SameSubtree;
}

export function isSame(step: { readonly kind: string }): step is SameStep {
  return step.kind === 'same';
}

/** The walk as the stages pass it on: a directory is entered before and left after everything below it. */
export type WalkStep =
  /** `recalled`: it was not listed, because the sweep knows it; all that may differ in it is what was touched. */
  | { readonly kind: 'enter'; readonly directory: Directory; readonly recalled?: Recalled }
  | SameStep
  | { readonly kind: 'leave'; readonly directory: Directory };
