/**
 * One directory of the source on its way through the pipeline. `scan` makes the object, and each stage after it fills in its own
 * columns: `compare` the states, `import` the CIDs of files, `link` those of symlinks and subdirectories. Columns, because a million
 * entries as objects would be hundreds of megabytes of heap.
 */

import { type ByteString, type Codec, DIGEST_BYTES, type EntryKind, type Root } from '../core/model.ts';
import { joinBytes } from '../core/path-bytes.ts';
import type { EntryStat } from './entry-stat.ts';
import { newColumns, type StatColumns } from './stat-columns.ts';

/** Bytes of one entry in the `cids` column: its codec, then its digest. */
export const CID_COLUMN_BYTES = 1 + DIGEST_BYTES;

/** In the column of ctimes: read this entry again in the next run. No file has this ctime; 0 would not do, because images and some FUSE file systems report it. */
export const NO_CTIME = -(2n ** 63n);

/** What the pipeline has to do about an entry. */
export const NEW = 1;
/** In the parent too, but its kind, content or metadata may differ. */
export const CHANGED = 2;
/** As in the parent: the parent's CID is carried over, and nothing is read. */
export const SAME = 3;
/** Not in the snapshot: excluded, special, vanished, or unreadable with no version in the parent. */
export const DROPPED = 4;
/** Could not be read. `compare` turns it into SAME, if the parent has a version that can stay, or into DROPPED. */
export const UNREADABLE = 5;
/** A file with the parent's content and another mode: its root node is made anew from the parent's, and no data is read. */
export const METADATA = 6;
export type EntryState = typeof NEW | typeof CHANGED | typeof SAME | typeof DROPPED | typeof UNREADABLE | typeof METADATA;

/** Bits of `differences`: in what an entry that is CHANGED or METADATA differs from the parent's. No bit: only in ctime or inode. */
export const KIND_DIFFERS = 1;
export const SIZE_DIFFERS = 2;
export const MTIME_DIFFERS = 4;
export const MODE_DIFFERS = 8;

/** The same directory in the parent's entries. */
export interface BaseDirectory {
  /** Position in walk order: the key of its cold part. */
  readonly ordinal: number;
  /** For each entry its position in the parent's record, or -1. */
  readonly indexes: Int32Array;
  /** Kinds of the entries of the parent's record. */
  readonly kinds: Uint8Array;
  /** Names of entries that the parent's record has and the source does not. */
  readonly removed: readonly ByteString[];
  /** How many entries the parent's record has. */
  readonly count: number;
}

/** The parent snapshot's record of a directory, column by column. */
export interface ParentRecord extends StatColumns {
  /** Position in walk order. */
  readonly ordinal: number;
  readonly path: ByteString;
  readonly names: readonly ByteString[];
  /** A copy that stays valid: all bytes of the record, and the columns as views of them. */
  own(): { readonly bytes: Buffer; readonly columns: StatColumns };
}

let counted = new Uint32Array(0);

/** 0…count−1, as a view of one array that all directories share: not to be written to. */
function positions(count: number): Uint32Array {
  if (counted.length < count) counted = Uint32Array.from({ length: Math.max(count, 2 * counted.length) }, (_, i) => i);
  return counted.subarray(0, count);
}

export class Directory implements StatColumns {
  /** Path from the root of the source; the root itself is ''. */
  readonly path: ByteString;
  /** Path in the source from which it is read: with `--copy-links` another one, if a symlink led there. */
  readonly origin: ByteString;
  readonly parent: Directory | undefined;
  /** Position in the parent directory's columns; -1 for the root. */
  readonly indexInParent: number;
  /** Entry names, sorted by bytes. */
  readonly names: readonly ByteString[];
  readonly kinds: Uint8Array;
  readonly modes: Uint16Array;
  readonly sizes: Float64Array;
  readonly mtimes: BigInt64Array;
  readonly ctimes: BigInt64Array;
  readonly inodes: BigUint64Array;
  readonly states: Uint8Array;
  /** Mtimes that do not fit into the column: of the year 2262 and later. */
  exactMtimes: Map<number, bigint> | undefined;
  /** By index: origins of the entries to which symlinks led. */
  #led: Map<number, ByteString> | undefined;
  /** Bits of what differs, a byte for each entry. Set by compare, which makes it when it meets the first difference. */
  differences: Uint8Array | undefined;
  /** The parent snapshot's record of this directory. */
  base: BaseDirectory | undefined;
  /** The directory could not be listed: it has no entries here, and `compare` puts the parent's subtree in its place. */
  readonly unreadable: boolean;
  /** The directory could not be listed, and the parent's record stands in for it. */
  kept = false;

  /** How many entries were imported again and have the parent's CID: only their stat data are new. */
  refreshed = 0;

  /** Set by compare, a byte for each entry: 1 where an interrupted run has imported the entry, so that its CID is known already. */
  resumed: Uint8Array | undefined;

  /** count × 33 bytes; filled in by import and link. Made when the first CID is known: an untouched directory needs none. */
  cids: Buffer | undefined;
  dagSizes: Float64Array | undefined;

  /** The bytes of the parent's record, if the columns are views of them. Names and kinds are then the parent's. */
  readonly record: Buffer | undefined;

  constructor(
    path: ByteString,
    parent: Directory | undefined,
    indexInParent: number,
    names: readonly ByteString[],
    unreadable = false,
    inParent?: ReturnType<ParentRecord['own']>,
  ) {
    const count = names.length;
    this.unreadable = unreadable;
    this.path = path;
    this.origin = parent?.originOf(indexInParent) ?? path;
    this.parent = parent;
    this.indexInParent = indexInParent;
    this.names = names;
    this.record = inParent?.bytes;
    const { sizes, mtimes, ctimes, inodes, modes, kinds } = inParent?.columns ?? newColumns(count);
    this.sizes = sizes;
    this.mtimes = mtimes;
    this.ctimes = ctimes;
    this.inodes = inodes;
    this.modes = modes;
    this.kinds = kinds;
    this.states = new Uint8Array(count).fill(inParent === undefined ? NEW : SAME);
  }

  /** A directory whose entries are all as the parent's record has them. */
  static asInParent(record: ParentRecord, parent: Directory | undefined, indexInParent: number): Directory {
    const { ordinal, path, names } = record;
    const directory = new Directory(path, parent, indexInParent, names, false, record.own());
    const indexes = new Int32Array(positions(names.length));
    directory.base = { ordinal, indexes, kinds: directory.kinds, removed: [], count: names.length };
    return directory;
  }

  get count(): number {
    return this.names.length;
  }

  nameOf(index: number): ByteString {
    const name = this.names[index];
    if (name === undefined) throw new RangeError(`entry ${index} of ${this.count}`);
    return name;
  }

  /** Path of an entry from the root of the source. */
  pathOf(index: number): ByteString {
    return joinBytes(this.path, this.nameOf(index));
  }

  /** What lstat said of an entry's size, in bytes. */
  sizeOf(index: number): number {
    return this.sizes[index] as number;
  }

  /** Permission bits of an entry, 0o7777 at most. */
  modeOf(index: number): number {
    return this.modes[index] as number;
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

  /** Notes that the entry is reached by a symlink, which leads to this origin. */
  lead(index: number, origin: ByteString): void {
    this.#led ??= new Map();
    this.#led.set(index, origin);
  }

  /** Path in the source of what an entry is read from. */
  originOf(index: number): ByteString {
    return this.#led?.get(index) ?? joinBytes(this.origin, this.nameOf(index));
  }

  /** Origins of the directories through which this one is reached, from the root down, its own last. */
  way(): ByteString[] {
    return [...(this.parent?.way() ?? []), this.origin];
  }

  /** Whether an entry of this directory, or anything below one, differs from the parent. The directory's own metadata belong to its entry, one level up. */
  get differs(): boolean {
    if (this.base === undefined || this.base.removed.length > 0) return true;
    for (let i = 0; i < this.count; i++) {
      const state = this.states[i];
      if (state === NEW || state === CHANGED || state === METADATA || (state === DROPPED && (this.base.indexes[i] as number) >= 0))
        return true;
    }
    return false;
  }

  /** Positions of the entries that are in the snapshot: mostly all of them. */
  live(): Uint32Array {
    const { states, count } = this;
    if (!states.includes(DROPPED)) return positions(count);
    const live = new Uint32Array(count);
    let length = 0;
    for (let i = 0; i < count; i++) if (states[i] !== DROPPED) live[length++] = i;
    return live.subarray(0, length);
  }

  /** The snapshot goes without this entry. */
  drop(index: number): void {
    this.states[index] = DROPPED;
  }

  /**
   * For an entry that could not be read: the parent's version stays if it is of the same kind, with a ctime that makes the next run try
   * again; else the entry is dropped. Returns whether the parent's version stays.
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
    const at = index * CID_COLUMN_BYTES;
    this.cids[at] = codec;
    // A loop takes less time than making a view for `set`.
    for (let i = 0; i < DIGEST_BYTES; i++) this.cids[at + 1 + i] = digest[digestAt + i] as number;
    this.dagSizes[index] = dagSize;
  }

  /** Takes the CIDs of the parent's record, but for entries that have one already. */
  takeRoots(cids: Buffer, dagSizes: Float64Array | Uint32Array): void {
    const [own, ownSizes] = [this.cids, this.dagSizes];
    this.cids = Buffer.from(cids);
    this.dagSizes = new Float64Array(dagSizes);
    if (own === undefined || ownSizes === undefined) return;
    for (let i = 0; i < this.count; i++) {
      const at = i * CID_COLUMN_BYTES;
      if (own[at] !== 0) this.setRoot(i, own[at] as Codec, own, at + 1, ownSizes[i] as number);
    }
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
