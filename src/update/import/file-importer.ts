/**
 * Reads files, hashes their chunks and builds the root nodes of small ones, straight into shared memory as CAR sections, in the order in
 * which they will stand in a shard. What comes back is one write, not a copy. Import workers do this, and, for a few small files, the
 * thread of the run itself.
 */
import { closeSync, fstatSync, readSync } from 'node:fs';
import { errnoOf, reasonOf } from '../../core/errors.ts';
import { type ByteString, type CidProfile, type Codec, DAG_PB, DIGEST_BYTES, RAW } from '../../core/model.ts';
import { sha256 } from '../../dag/cid.ts';
import { encodeEmptyFile, encodeLeafFrame } from '../../dag/file-node.ts';
import { MOST_ONE_LEAF_FILE_BYTES, writeOneLeafFile } from '../../dag/one-leaf-file-writer.ts';
import { sectionHeaderBytes, writeSectionHeader } from '../../shard/car.ts';
import type { Reach } from '../../source/reach.ts';
import { entryStat } from '../../walk/entry-stat.ts';
import type { ExpectedStats, FileFailure, FilesResult, FilesTask, PieceResult, PieceTask, Result, Task, WorkerSetup } from './protocol.ts';

/** Thrown inside a task when a file changed while it was read. */
class Changed extends Error {}

/** Thrown when the file did not change and stat says a false length of it: 0 in /proc and on some FUSE file systems. */
class Misstated extends Error {
  constructor() {
    super('its length is not what its stat data say');
  }
}

const oneByte = Buffer.alloc(1);

interface Written {
  readonly codec: Codec;
  readonly digest: Uint8Array;
  /** Bytes of the file. */
  readonly fileBytes: number;
  readonly dagSize: number;
  /** Offset in the slab after it. */
  readonly end: number;
}

export class FileImporter {
  readonly #reach: Reach;
  readonly #profile: CidProfile;
  readonly #metadata: boolean;
  readonly #ignoreInode: boolean;
  readonly #slabs: readonly Buffer[];
  readonly #chunkSize: number;
  readonly #leafCodec: Codec;
  /** Where the root of one file is made. */
  readonly #root = Buffer.allocUnsafe(MOST_ONE_LEAF_FILE_BYTES);

  /** @param reach how the source is reached from this thread */
  constructor({ profile, metadata, ignoreInode, slabs }: Omit<WorkerSetup, 'source'>, reach: Reach) {
    this.#reach = reach;
    this.#profile = profile;
    this.#metadata = metadata;
    this.#ignoreInode = ignoreInode;
    this.#slabs = slabs.map((slab) => Buffer.from(slab));
    this.#chunkSize = profile.chunker.kind === 'size' ? profile.chunker.bytes : profile.chunker.min;
    this.#leafCodec = profile.rawLeaves ? RAW : DAG_PB;
  }

  do(task: Task): Result {
    return task.kind === 'files' ? this.#importFiles(task) : this.#importPiece(task);
  }

  #importFiles(task: FilesTask): FilesResult {
    const slab = this.#slabs[task.slab] as Buffer;
    const count = task.origins.length;
    const codecs = new Uint8Array(count);
    const digests = new Uint8Array(count * DIGEST_BYTES);
    const dagSizes = new Float64Array(count);
    const ends = new Uint32Array(count);
    const failures: FileFailure[] = [];
    let at = 0;
    for (let index = 0; index < count; index++) {
      try {
        const leaf = this.#readFile(task, index, slab, at);
        const root = this.#metadata ? this.#addRootNode(slab, leaf, task, index) : leaf;
        codecs[index] = root.codec;
        digests.set(root.digest, index * DIGEST_BYTES);
        dagSizes[index] = root.dagSize;
        at = root.end;
      } catch (error) {
        failures.push(failureOf(error, index));
      }
      ends[index] = at;
    }
    return { kind: 'files', batchBytes: at, codecs, digests, dagSizes, ends, failures };
  }

  /** Reads a file of at most one chunk and writes its leaf at `at`. */
  #readFile(task: FilesTask, index: number, slab: Buffer, at: number): Written {
    const size = task.expected.sizes[index] as number;
    const fd = this.#reach.openFile(task.origins[index] as ByteString, this.#ignoreInode ? undefined : task.expected.inodes[index]);
    try {
      let got = 0;
      const leaf = this.#writeLeaf(slab, at, size, (from, bytes) => {
        got = readExpected(fd, slab, from, bytes);
        return Math.min(got, bytes);
      });
      this.#assertUnchanged(fd, task.expected, index);
      if (got !== size) throw new Misstated();
      return leaf;
    } finally {
      closeSync(fd);
    }
  }

  /**
   * Lets `fill` read `size` bytes to where they belong in the slab and writes the frame around them. The header's length
   * depends on the block's, so when fewer bytes come than were asked for, the leaf is laid out again for what there is.
   * An empty file with metadata needs no leaf: nothing is written.
   */
  #writeLeaf(slab: Buffer, at: number, size: number, fill: (from: number, bytes: number) => number): Written {
    const frame = this.#profile.rawLeaves ? undefined : encodeLeafFrame(size);
    const prefix = frame?.prefix.length ?? 0;
    const blockBytes = prefix + size + (frame?.suffix.length ?? 0);
    const blockAt = at + sectionHeaderBytes(blockBytes);
    const got = fill(blockAt + prefix, size);
    if (got < size) {
      const data = Buffer.from(slab.subarray(blockAt + prefix, blockAt + prefix + got));
      return this.#writeLeaf(slab, at, got, (from) => data.copy(slab, from));
    }
    if (size === 0 && this.#metadata) return { codec: this.#leafCodec, digest: new Uint8Array(0), fileBytes: 0, dagSize: 0, end: at };
    if (frame !== undefined) {
      frame.prefix.copy(slab, blockAt);
      frame.suffix.copy(slab, blockAt + prefix + size);
    }
    const digest = sha256(slab.subarray(blockAt, blockAt + blockBytes));
    writeSectionHeader(slab, at, RAW, digest, 0, blockBytes);
    return { codec: this.#leafCodec, digest, fileBytes: size, dagSize: blockBytes, end: blockAt + blockBytes };
  }

  /** Metadata stand in a node of their own above the leaf, so that a `touch` costs this node and no data. */
  #addRootNode(slab: Buffer, leaf: Written, task: FilesTask, index: number): Written {
    const mtimeNs = task.exactMtimes.get(index) ?? (task.expected.mtimes[index] as bigint);
    const mode = task.modes[index] as number;
    const block =
      leaf.fileBytes === 0
        ? encodeEmptyFile({ mode, mtimeNs })
        : this.#root.subarray(0, writeOneLeafFile(this.#root, 0, leaf, mode, mtimeNs, this.#profile.cidVersion));
    const digest = sha256(block);
    const blockAt = writeSectionHeader(slab, leaf.end, RAW, digest, 0, block.length);
    block.copy(slab, blockAt);
    return { codec: DAG_PB, digest, fileBytes: leaf.fileBytes, dagSize: block.length + leaf.dagSize, end: blockAt + block.length };
  }

  #importPiece(task: PieceTask): PieceResult {
    const slab = this.#slabs[task.slab] as Buffer;
    const sizes: number[] = [];
    let end = 0;
    let atEnd = false;
    let failure: FileFailure | undefined;
    try {
      const fd = this.#reach.openFile(task.origin, task.length === 'expected' && !this.#ignoreInode ? task.expected.inodes[0] : undefined);
      try {
        if (task.length === 'any') assertRegular(fd);
        for (let from = task.from; from < task.to && !atEnd; ) {
          const wanted = Math.min(this.#chunkSize, task.to - from);
          const leaf = this.#writeLeaf(slab, end, wanted, (at, bytes) => readFully(fd, slab, at, bytes, from));
          if (leaf.fileBytes > 0) {
            sizes.push(leaf.fileBytes);
            end = leaf.end;
          }
          atEnd = leaf.fileBytes < wanted;
          from += wanted;
        }
        if (!task.accept) this.#assertUnchanged(fd, task.expected, 0);
        const isLast = task.to === task.expected.sizes[0];
        if (task.length === 'expected' && (atEnd || (isLast && readFully(fd, oneByte, 0, 1, task.to) > 0))) throw new Misstated();
      } finally {
        closeSync(fd);
      }
    } catch (error) {
      failure = failureOf(error, 0);
    }
    return { kind: 'piece', batchBytes: end, chunkBytes: Float64Array.from(sizes), codec: this.#leafCodec, atEnd, failure };
  }

  /**
   * One fstat after the last read is enough: if it still says what lstat said before the first, nothing was written
   * in between, but for a write within the clock's granularity, which the index marks as racy.
   */
  #assertUnchanged(fd: number, expected: ExpectedStats, index: number): void {
    const stat = entryStat(fstatSync(fd, { bigint: true }));
    const same =
      (this.#ignoreInode || stat.inode === expected.inodes[index]) &&
      stat.size === expected.sizes[index] &&
      BigInt.asIntN(64, stat.mtimeNs) === expected.mtimes[index] &&
      BigInt.asIntN(64, stat.ctimeNs) === expected.ctimes[index];
    if (!same) throw new Changed('it changed while it was read');
  }
}

/** A file system that invents lengths, and gives fewer bytes than it could, does both by whole pages. */
const PAGE_BYTES = 4096;

/**
 * Reads a file of `expected` bytes from its beginning, and the byte behind them if there is one. Where a read ends at the length that stat
 * says, the file ends there: to ask once more took 6 % of the time in the kernel of an add of 40,000 small files.
 */
function readExpected(fd: number, into: Buffer, at: number, expected: number): number {
  const got = readSync(fd, into, at, expected + 1, 0);
  if (got === 0 || (got === expected && expected % PAGE_BYTES !== 0)) return got;
  return got + readFully(fd, into, at + got, expected + 1 - got, got);
}

/** Reads up to `bytes` from `position`; fewer only at the end of the file. */
function readFully(fd: number, into: Buffer, at: number, bytes: number, position: number): number {
  let got = 0;
  while (got < bytes) {
    const n = readSync(fd, into, at + got, bytes - got, position + got);
    if (n === 0) break;
    got += n;
  }
  return got;
}

/** Only a regular file is read to its end: a device or a FIFO that took its place may have none. */
function assertRegular(fd: number): void {
  if (!fstatSync(fd).isFile()) throw new Changed('it was replaced by something that is not a file');
}

function failureOf(error: unknown, index: number): FileFailure {
  if (error instanceof Changed) return { index, errno: undefined, detail: error.message };
  if (error instanceof Misstated) return { index, errno: undefined, detail: error.message, isMisstated: true };
  const errno = errnoOf(error);
  if (errno === undefined) throw error;
  // ELOOP: it met a symlink. ENXIO, ESPIPE, EISDIR: a socket, a FIFO, a directory. All mean that the file was replaced.
  if (errno === 'ELOOP' || errno === 'ENXIO' || errno === 'ESPIPE' || errno === 'EISDIR')
    return { index, errno: undefined, detail: `it was replaced while it was read, or cannot be: ${reasonOf(error)}` };
  return { index, errno, detail: reasonOf(error) };
}
