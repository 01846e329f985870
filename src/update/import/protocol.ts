/** What the main thread and the import workers say to each other. Blocks themselves go through shared memory, not messages. */
import type { ByteString, CidProfile, Codec } from '../../core/model.ts';
import type { SourceHandle } from '../../source/reach.ts';

/** What a worker is given when it starts. */
export interface WorkerSetup {
  readonly source: SourceHandle;
  readonly profile: CidProfile;
  readonly metadata: boolean;
  /** Inode numbers do not tell one file from another (`Trust`). */
  readonly ignoreInode: boolean;
  readonly slabs: readonly SharedArrayBuffer[];
}

/** What lstat said of the files of a task. A file is taken only if fstat says the same after it was read. */
export interface ExpectedStats {
  readonly sizes: Float64Array;
  readonly mtimes: BigInt64Array;
  readonly ctimes: BigInt64Array;
  readonly inodes: BigUint64Array;
}

/** Files of at most one chunk each: read, hash, and build their root nodes. */
export interface FilesTask {
  readonly kind: 'files';
  readonly slab: number;
  /** Paths in the source. */
  readonly origins: readonly ByteString[];
  readonly modes: Uint16Array;
  readonly expected: ExpectedStats;
  /** Modification times that do not fit 64 bits of nanoseconds. */
  readonly exactMtimes: ReadonlyMap<number, bigint>;
}

/** A piece of one file, whole chunks, to read and hash. The main thread makes the nodes above them. */
export interface PieceTask {
  readonly kind: 'piece';
  readonly slab: number;
  /** Path in the source. */
  readonly origin: ByteString;
  readonly from: number;
  readonly to: number;
  readonly expected: ExpectedStats;
  /** `expected`: the file has as many bytes as stat says, or it fails. `any`: it ends where it ends, be it before `to`. */
  readonly length: 'expected' | 'any';
  /** Take what is read even if the file changes meanwhile: the last attempt. */
  readonly accept: boolean;
}

export type Task = FilesTask | PieceTask;

/** Outcome of one file that could not be taken. `errno` undefined: it changed while it was read, or has another length than stat says. */
export interface FileFailure {
  /** Position in the task's origins. */
  readonly index: number;
  readonly errno: string | undefined;
  /** The file did not change; stat says a false length of it. So it can be read again at once. */
  readonly isMisstated?: boolean;
  readonly detail: string;
}

export interface FilesResult {
  readonly kind: 'files';
  /** The batch of CAR sections at the start of the slab, in bytes. */
  readonly batchBytes: number;
  readonly codecs: Uint8Array;
  /** 32 bytes a file. */
  readonly digests: Uint8Array;
  readonly dagSizes: Float64Array;
  /** Offset in the batch after the last block of each file. */
  readonly ends: Uint32Array;
  readonly failures: readonly FileFailure[];
}

export interface PieceResult {
  readonly kind: 'piece';
  readonly batchBytes: number;
  /** Bytes of the file that each section's block stands for, in the order of the batch. */
  readonly chunkBytes: Float64Array;
  readonly codec: Codec;
  /** The file ended before `to`. */
  readonly atEnd: boolean;
  readonly failure: FileFailure | undefined;
}

export type Result = FilesResult | PieceResult;

export interface TaskMessage {
  readonly id: number;
  readonly task: Task;
}

export interface ResultMessage {
  readonly id: number;
  readonly result: Result;
}

/** A slab takes four 1 MiB chunks with their frames: large enough that a write of one is sequential for a disk, and eight of them are 33 MB. With 8 MiB an add took 1.75 s instead of 1.79: noise. */
export const SLAB_BYTES = 4 * 1024 * 1024 + 64 * 1024;
/** With more, the last group of a run would keep one worker busy while the other waits; 256 tiny files are 10 ms of work. */
export const MAX_FILES_PER_TASK = 256;
/** Room that a file of one chunk needs beside its bytes: two section headers, a leaf frame and a root node. */
export const FILE_OVERHEAD_BYTES = 512;
/** Room that each chunk of a piece needs beside its bytes: a section header and a leaf frame. */
export const CHUNK_OVERHEAD_BYTES = 96;
