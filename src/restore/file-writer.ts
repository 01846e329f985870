/** Writes files from the blocks of one shard, in the order in which they come. Synchronous, as `Destination`. */
import { closeSync } from 'node:fs';
import { errnoOf, messageOf, ShardctlError } from '../core/errors.ts';
import { DIGEST_BYTES, RAW } from '../core/model.ts';
import type { DagNode } from '../dag/node-reader.ts';
import { oneLeafFile } from '../dag/one-leaf-file.ts';
import type { Destination, MadeFile } from './destination.ts';
import { decodedNode, leafData } from './leaf-places.ts';
import type { SentError, ShardJob, Told } from './shard-job.ts';
import { writeSparse } from './sparse-file.ts';
import { AS_ROOT, IS_RAW, type PlacedFile } from './wanted-files.ts';

/** Reports are sent when there are so many files or bytes to tell of. */
const REPORT_FILES = 1000;
const REPORT_BYTES = 8 * 1024 * 1024;
/** Large files that are kept open at a time. */
const MOST_OPEN = 16;
/** In `SharedState.over`. */
const FAILED = 2;

export class FileWriter {
  readonly #job: ShardJob;
  readonly #digests: Uint8Array;
  readonly #destination: Destination;
  readonly #tell: (message: Told) => void;
  /** The last block, which may be the leaf of the root that comes next. */
  #last: { readonly block: number; readonly bytes: Buffer } | undefined;
  #files = 0;
  #symlinks = 0;
  #bytes = 0;
  readonly #open = new Map<number, number>();

  constructor(job: ShardJob, destination: Destination, tell: (message: Told) => void) {
    this.#job = job;
    this.#digests = job.digests;
    this.#destination = destination;
    this.#tell = tell;
  }

  get isStopped(): boolean {
    return Atomics.load(this.#job.shared.stop, 0) !== 0;
  }

  take(block: number, bytes: Buffer): void {
    const { firstUse, useOffset } = this.#job;
    // One block may be bytes in one place and a node in another: whoever may upload a file can make it the node of a directory.
    let [asBytes, asNode]: [Root | undefined, Root | undefined] = [undefined, undefined];
    // A block may have a quarter of a million uses.
    for (let use = firstUse[block] as number; use < (firstUse[block + 1] as number) && !this.isStopped; use++) {
      const offset = useOffset[use] as number;
      if (offset !== AS_ROOT) this.#writePlace(use, offset, bytes);
      else {
        const isRaw = ((this.#job.useFlags[use] as number) & IS_RAW) !== 0;
        if (isRaw) asBytes ??= { kind: 'file', node: {}, bytes };
        else asNode ??= this.#rootOf(block, bytes);
        this.#writeRoot(use, (isRaw ? asBytes : asNode) as Root);
      }
    }
    this.#last = { block, bytes };
    if (this.#files + this.#symlinks >= REPORT_FILES || this.#bytes >= REPORT_BYTES) this.#report();
  }

  end(): void {
    for (const fd of this.#open.values()) closeSync(fd);
    this.#open.clear();
    this.#report();
  }

  #report(): void {
    if (this.#files + this.#symlinks + this.#bytes === 0) return;
    this.#tell({ type: 'done', files: this.#files, symlinks: this.#symlinks, bytes: this.#bytes });
    this.#files = 0;
    this.#symlinks = 0;
    this.#bytes = 0;
  }

  /** What a root says of its file; LATE when only a read of single blocks can tell what it is, or where its bytes are. */
  #rootOf(block: number, bytes: Buffer): Root {
    const plain = oneLeafFile(bytes);
    if (plain !== undefined) {
      const leaf = this.#blockBefore(block, plain.leaf.digest);
      return leaf?.length === plain.size ? { kind: 'file', node: plain, bytes: leaf } : LATE;
    }
    const node = decodedNode(bytes);
    if (node === undefined) return LATE;
    if (node.type === 'symlink') return { kind: 'symlink', node, bytes: node.data ?? new Uint8Array(0) };
    if (node.type !== 'file' && node.type !== 'raw') return LATE;
    const data = node.links.length === 0 ? (node.data ?? new Uint8Array(0)) : this.#leafOf(node, block);
    return data === undefined || data.length !== node.fileBytes ? LATE : { kind: 'file', node, bytes: data };
  }

  /** The data of the only leaf, when it is the block that came before. */
  #leafOf({ links, data, blockSizes }: DagNode, block: number): Uint8Array | undefined {
    const [link] = links;
    if (link === undefined || links.length > 1 || (data?.length ?? 0) > 0) return undefined;
    const before = this.#blockBefore(block, link.digest);
    if (before === undefined) return undefined;
    const bytes = link.codec === RAW ? before : leafData(before);
    return blockSizes[0] === undefined || blockSizes[0] === bytes?.length ? bytes : undefined;
  }

  /** The block that came right before, if it has this digest. */
  #blockBefore(block: number, digest: Uint8Array): Buffer | undefined {
    if (this.#last?.block !== block - 1) return undefined;
    const at = (block - 1) * DIGEST_BYTES;
    for (let i = 0; i < DIGEST_BYTES; i++) if (digest[i] !== this.#digests[at + i]) return undefined;
    return this.#last.bytes;
  }

  #writeRoot(use: number, { kind, node, bytes }: Root): void {
    if (kind === 'late') return;
    const index = this.#job.useFile[use] as number;
    this.#attempt(index, () => {
      const path = this.#pathOf(index);
      if (kind === 'symlink') this.#destination.createSymlink(path, bytes, node);
      else this.#destination.writeFile(path, bytes, node);
      this.#isWritten(index, kind, bytes.length);
    });
  }

  #writePlace(use: number, offset: number, block: Buffer): void {
    const index = this.#job.useFile[use] as number;
    const file = this.#job.placed.get(index) as PlacedFile;
    const bytes = ((this.#job.useFlags[use] as number) & IS_RAW) !== 0 ? block : leafData(block);
    if (bytes === undefined || offset + bytes.length > file.size) return;
    // One that cannot be written: no other part of it is tried.
    if (Atomics.load(this.#job.shared.over, this.#job.files[index] as number) === FAILED) return;
    this.#attempt(index, () => {
      const { lacking, written } = this.#job.shared;
      if (file.made === undefined) {
        if (bytes.length !== file.size) return;
        this.#destination.writeFile(this.#pathOf(index), bytes, file.metadata);
        this.#isWritten(index, 'file', bytes.length);
        return;
      }
      writeSparse(this.#fdOf(index, file.made), bytes, offset);
      this.#bytes += bytes.length;
      Atomics.store(written, this.#job.useNumber[use] as number, 1);
      if (Atomics.sub(lacking, this.#job.files[index] as number, 1) > 1) return;
      const fd = this.#fdOf(index, file.made);
      this.#open.delete(index);
      this.#destination.finishMade(fd, file.made, file.metadata);
      this.#isWritten(index, 'file', 0);
    });
  }

  #fdOf(index: number, made: MadeFile): number {
    const open = this.#open.get(index);
    if (open !== undefined) return open;
    for (const [oldest, fd] of this.#open) {
      if (this.#open.size < MOST_OPEN) break;
      this.#open.delete(oldest);
      closeSync(fd);
    }
    const fd = this.#destination.openMade(made);
    this.#open.set(index, fd);
    return fd;
  }

  #isWritten(index: number, kind: 'file' | 'symlink', bytes: number): void {
    Atomics.store(this.#job.shared.over, this.#job.files[index] as number, 1);
    if (kind === 'symlink') this.#symlinks++;
    else {
      this.#files++;
      this.#bytes += bytes;
    }
  }

  #pathOf(index: number): string {
    const { directories, directoryOf, names } = this.#job;
    return `${directories[directoryOf[index] as number]}/${names[index]}`;
  }

  #attempt(index: number, work: () => void): void {
    try {
      work();
    } catch (error) {
      const file = this.#job.files[index] as number;
      // Parts of it may fail in several threads.
      if (Atomics.exchange(this.#job.shared.over, file, FAILED) !== FAILED) this.#tell({ type: 'failed', file, error: sentError(error) });
    }
  }
}

type Root = { readonly kind: 'file' | 'symlink' | 'late'; readonly node: Pick<DagNode, 'mode' | 'mtimeNs'>; readonly bytes: Uint8Array };

const LATE: Root = { kind: 'late', node: {}, bytes: new Uint8Array(0) };

export function sentError(error: unknown): SentError {
  const ours = error instanceof ShardctlError ? error : undefined;
  return { message: messageOf(error), code: ours?.code ?? errnoOf(error), isOurs: ours !== undefined, hint: ours?.hint };
}
