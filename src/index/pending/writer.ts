/**
 * Writes the pending entries of a run. The packer tells it which files' last blocks are packed, which other shards have blocks of them,
 * and which shards are sealed. Holds two blocks of rows, of 64 KiB each.
 */
import { closeSync, openSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import { flushData, makeDirectories, syncPath } from '../../core/durable-files.ts';
import type { FinishedFiles } from '../../shard/batch.ts';
import { CID_COLUMN_BYTES, type Directory, METADATA, NO_CTIME } from '../../walk/directory.ts';
import {
  encodeFrame,
  HEADER,
  jsonFrame,
  type PendingHeader,
  RE_ROOTED_ROWS,
  READ_ROWS,
  type RowsKind,
  SHARDS,
  type ShardName,
} from './format.ts';
import { PendingRows } from './rows.ts';

export interface PendingWriterOptions {
  /** Whether a file with this ctime may still change within the clock tick in which it was scanned. */
  readonly isRacy: (ctimeNs: bigint) => boolean;
  /** The CID of a shard that is in the index. */
  readonly cidOf: (shard: number) => string;
}

export class PendingWriter {
  readonly #path: string;
  readonly #header: PendingHeader;
  readonly #options: PendingWriterOptions;
  readonly #read = new PendingRows();
  /** Made with the first such row: most runs make no root node anew. */
  #reRooted: PendingRows | undefined;
  /** Rows were written since the last `shards` frame. */
  #uncovered = false;
  /** Shards that hold blocks of files that ended since the last `shards` frame. */
  #met = new Set<number>();
  #lastMet = -1;
  /** Shards that hold the beginning of the file of which not all blocks are packed yet. */
  #begun: ReadonlySet<number> = new Set();
  #isMidFile = false;
  #ended = false;
  /** CIDs of the shards that this run sealed and that the index does not know yet. */
  readonly #sealed = new Map<number, string>();
  #files: FinishedFiles | undefined;
  #next = 0;
  /** What the last write was made of, used again. */
  #memory = Buffer.alloc(0);
  #fd: number | undefined;
  /** The last flush; `close` waits for it before the file is closed. */
  #flushing: Promise<void> = Promise.resolve();

  /** @param path of a file that is made with the first row */
  constructor(path: string, header: PendingHeader, options: PendingWriterOptions) {
    this.#path = path;
    this.#header = header;
    this.#options = options;
  }

  /** Writes rows of those files of a batch that end within its first `bytes`, which are packed. `bytes` grows up to the batch's length. */
  add(files: FinishedFiles, bytes: number): void {
    if (this.#files !== files) this.#next = 0;
    this.#files = files;
    const { directories, indexes, ends } = files;
    for (; this.#next < indexes.length && (ends[this.#next] as number) <= bytes; this.#next++) {
      this.#addFile(directories[this.#next] as Directory, indexes[this.#next] as number);
      this.#ended = true;
    }
    if (bytes > 0) this.#isMidFile = bytes > (this.#next === 0 ? 0 : (ends[this.#next - 1] as number));
  }

  /** A block of the file under way is in this shard already, and was not packed. */
  meets(shard: number): void {
    if (shard === this.#lastMet) return;
    this.#lastMet = shard;
    this.#met.add(shard);
  }

  /** A shard is sealed: all blocks that were packed since the last one are in it. */
  sealed(shard: number, cid: string): void {
    this.#sealed.set(shard, cid);
    this.#met.add(shard);
    this.cover();
  }

  /** The index has the shard. Resolves when the rows so far are flushed, so that a power cut does not lose them; nothing else depends on that. */
  placed(shard: number): Promise<void> {
    this.#sealed.delete(shard);
    const fd = this.#fd;
    if (fd !== undefined) this.#flushing = this.#flushing.then(() => flushData(fd));
    return this.#flushing;
  }

  /** Called when no shard is open: writes which shards the rows so far need. All of their blocks are in these, and the rows count once these are placed. */
  cover(): void {
    const frames = [...framesOf(READ_ROWS, this.#read), ...framesOf(RE_ROOTED_ROWS, this.#reRooted)];
    const needed = new Set([...this.#begun, ...this.#met]);
    if (this.#uncovered || frames.length > 0) {
      const names = Array.from(needed, (shard): ShardName => [shard, this.#cidOf(shard)]);
      this.#write([...frames, jsonFrame(SHARDS, names)]);
    }
    // The rows of a file that goes on need the shards in which it began. If no file has ended since the last call, it began before that.
    if (!this.#isMidFile) this.#begun = new Set();
    else this.#begun = this.#ended ? this.#met : needed;
    this.#met = new Set();
    this.#lastMet = -1;
    this.#ended = false;
    this.#uncovered = false;
  }

  async close(): Promise<void> {
    const fd = this.#fd;
    this.#fd = undefined;
    await this.#flushing.catch(() => {});
    if (fd !== undefined) closeSync(fd);
  }

  #addFile(directory: Directory, index: number): void {
    const { cids, ctimes, states } = directory;
    // The file could not be read after all.
    if (cids === undefined || cids[index * CID_COLUMN_BYTES] === 0) return;
    const kind = states[index] === METADATA ? RE_ROOTED_ROWS : READ_ROWS;
    if (kind === RE_ROOTED_ROWS) this.#reRooted ??= new PendingRows();
    const rows = this.#reRooted !== undefined && kind === RE_ROOTED_ROWS ? this.#reRooted : this.#read;
    const ctime = ctimes[index] as bigint;
    rows.add(directory, index, this.#options.isRacy(ctime) ? NO_CTIME : ctime);
    if (!rows.isFull) return;
    this.#write(framesOf(kind, rows));
    this.#uncovered = true;
  }

  #cidOf(shard: number): string {
    return this.#sealed.get(shard) ?? this.#options.cidOf(shard);
  }

  /** Appends frames in one write, after the header if the file is new. */
  #write(frames: readonly Uint8Array[]): void {
    const isFirst = this.#fd === undefined;
    this.#fd ??= this.#create();
    const bytes = this.#joined(isFirst ? [jsonFrame(HEADER, this.#header), ...frames] : frames);
    for (let at = 0; at < bytes.length; ) at += writeSync(this.#fd, bytes, at);
  }

  #joined(frames: readonly Uint8Array[]): Buffer {
    const length = frames.reduce((sum, frame) => sum + frame.length, 0);
    if (length > this.#memory.length) this.#memory = Buffer.allocUnsafeSlow(length * 2);
    let end = 0;
    for (const frame of frames) {
      this.#memory.set(frame, end);
      end += frame.length;
    }
    return this.#memory.subarray(0, end);
  }

  #create(): number {
    const dir = dirname(this.#path);
    makeDirectories(dir);
    const fd = openSync(this.#path, 'wx');
    this.#flushing = syncPath(dir);
    this.#flushing.catch(() => {});
    return fd;
  }
}

/** The frame of the rows so far. Views: valid until the next row. */
function framesOf(kind: RowsKind, rows: PendingRows | undefined): Uint8Array[] {
  if (rows === undefined || rows.isEmpty) return [];
  const payload = rows.take();
  return [encodeFrame(kind, payload), payload];
}
