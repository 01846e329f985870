/**
 * The gate: what judges a tree before it becomes a head, and what it says. A package mirror has indexes that name its other files (a
 * `Packages` of Debian, a `primary.xml` of RPM): a tree that its own indexes contradict was copied half-way, and its users would see
 * "Hash Sum mismatch". The judges are the room `gate`; `update` asks them before a head moves, and `verify --against` of what is stored.
 */
import type { BlockId, ByteString, EntryKind } from './model.ts';
import type { GateAction, Verdict } from './verdict.ts';

/** Judges a tree that is stored and linked. @throws ShardctlError when it cannot be read, or the judge's own tools are not there */
export type Gate = (tree: JudgedTree, signal: AbortSignal) => Promise<Verdict>;

/** What a run asks of the gate. */
export interface GateOrder {
  readonly action: GateAction;
  /** See `Judgement.by`. */
  readonly by: string;
  readonly judge: Gate;
  /** Kinds were asked for by name: a tree that nothing can be read of is an error then, and passes with a warning else. */
  readonly isByName: boolean;
  /** Whether a program that unpacks indexes, such as `xz`, is on this machine, and works. */
  has(program: string): Promise<boolean>;
  /**
   * Names of entries by which indexes are found: where no entry of a tree has one of them, whatever its kind, the judges find nothing. Others
   * of another version are asked for under another `by`.
   */
  indexNames(): Promise<ReadonlySet<ByteString>>;
}

/** A tree as a judge sees it. Every block is hashed as it is read; names cannot lead out of the tree. */
export interface JudgedTree extends StoredTree {
  /**
   * The last tree of this repository that this gate found without contradictions when it was asked for the same; undefined when there is
   * none, and then everything has to be judged. An index that is the same in both trees, and of whose files none is among the changes,
   * need not be read.
   */
  readonly passed: StoredTree | undefined;
  /** What readers have now, where that is not `passed`. What it contradicts in the same way is nothing new, and told apart. */
  readonly head: StoredTree | undefined;
  /** What differs between `passed` and this tree, with everything below a directory that came or went; costs what the difference costs. Nothing when there is no `passed`. It may be that an entry among them is the same. */
  changes(): AsyncIterable<PathChange>;
  /** Whether the repository's filters leave out a file at this path, or a directory above it. They know nothing of symlinks. */
  leavesOut(path: ByteString): boolean;
}

export interface StoredTree {
  /**
   * The entry at a path of names and `/`; the empty path is the root. Symlinks are followed inside the tree, as a web server does; undefined when
   * nothing is there, or a symlink leads out. Takes logarithmic time also in directories of a million entries.
   */
  entry(path: ByteString): Promise<JudgedEntry | undefined>;
  /** The names in a directory, sorted by their bytes; of no directory there are none. Reads the directory alone. */
  names(path: ByteString): Promise<readonly ByteString[]>;
  /** The bytes of a file, a leaf at a time. */
  bytes(file: JudgedEntry): AsyncIterable<Uint8Array>;
}

export interface JudgedEntry {
  readonly kind: EntryKind;
  /** Where it lies: the path that was asked for, with symlinks replaced by what they lead to. */
  readonly at: ByteString;
  /** Bytes of a file; 0 for a directory. */
  readonly size: number;
  /** CID of its root. Two files with the same one have the same bytes. */
  readonly id: BlockId;
  /** SHA-256 of a file's bytes where its root says it: it is the digest of the only leaf. Else the bytes have to be hashed. */
  readonly sha256: Uint8Array | undefined;
  /** Nanoseconds since 1970; undefined where the tree has no metadata. */
  readonly mtimeNs: bigint | undefined;
}

/** An entry that differs, with what it was and is: new without `before`, gone without `now`. Symlinks are not followed. */
export interface PathChange {
  readonly path: ByteString;
  readonly before: EntryKind | undefined;
  readonly now: EntryKind | undefined;
}
