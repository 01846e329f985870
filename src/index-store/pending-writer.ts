/**
 * Writes the pending entries of a run.
 * In: files as their last blocks are packed, and shards as they are sealed. Holds: two blocks of rows of 64 KiB.
 */
import { closeSync, fdatasync, mkdirSync, openSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import { promisify } from 'node:util';
import { CID_COLUMN_BYTES, type Directory, METADATA, NO_CTIME } from '../directory.ts';
import { syncPath } from '../durable.ts';
import type { FinishedFiles } from '../shard/run.ts';
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
} from './pending-format.ts';
import { PendingRows } from './pending-rows.ts';

const flush = promisify(fdatasync);

export class PendingWriter {
  readonly #path: string;
  readonly #header: PendingHeader;
  readonly #isRacy: (ctimeNs: bigint) => boolean;
  readonly #read = new PendingRows();
  /** Made when it is needed: most runs make no root node anew. */
  #reRooted: PendingRows | undefined;
  /** Shards that later rows need and that no frame names yet. */
  #needed: ShardName[] = [];
  #files: FinishedFiles | undefined;
  #next = 0;
  /** Rows were written since the last `shards` frame. */
  #uncovered = false;
  #fd: number | undefined;
  /** A flush under way must not meet a closed file. */
  #flushing: Promise<void> = Promise.resolve();

  /**
   * @param path of a file that is made with the first row
   * @param isRacy whether a file with this ctime may still change within the clock tick in which it was scanned
   */
  constructor(path: string, header: PendingHeader, isRacy: (ctimeNs: bigint) => boolean) {
    this.#path = path;
    this.#header = header;
    this.#isRacy = isRacy;
  }

  /** Takes those of the files of one run that end within its first `bytes`. Called with growing `bytes` for one run after the other. */
  add(files: FinishedFiles, bytes: number): void {
    if (this.#files !== files) this.#next = 0;
    this.#files = files;
    const { directories, indexes, ends } = files;
    for (; this.#next < indexes.length && (ends[this.#next] as number) <= bytes; this.#next++) {
      this.#addFile(directories[this.#next] as Directory, indexes[this.#next] as number);
    }
  }

  /** From here on rows need this shard, too. */
  needs(shard: ShardName): void {
    this.#needed.push(shard);
  }

  /** All blocks of the files so far are in the shards that were named: once these are placed, the files count. */
  cover(): void {
    this.#writeRows(READ_ROWS, this.#read);
    if (this.#reRooted !== undefined) this.#writeRows(RE_ROOTED_ROWS, this.#reRooted);
    if (!this.#uncovered) return;
    this.#write(jsonFrame(SHARDS, this.#needed));
    this.#needed = [];
    this.#uncovered = false;
  }

  /** Resolves when what was written is on disk: nothing depends on it but how much a power cut costs. */
  sync(): Promise<void> {
    const fd = this.#fd;
    if (fd !== undefined) this.#flushing = this.#flushing.then(() => flush(fd));
    return this.#flushing;
  }

  async close(): Promise<void> {
    const fd = this.#fd;
    this.#fd = undefined;
    await this.#flushing.catch(() => {});
    if (fd !== undefined) closeSync(fd);
  }

  #addFile(directory: Directory, index: number): void {
    const { cids, ctimes, states } = directory;
    // It could not be read after all.
    if (cids === undefined || cids[index * CID_COLUMN_BYTES] === 0) return;
    const kind = states[index] === METADATA ? RE_ROOTED_ROWS : READ_ROWS;
    if (kind === RE_ROOTED_ROWS) this.#reRooted ??= new PendingRows();
    const rows = this.#reRooted !== undefined && kind === RE_ROOTED_ROWS ? this.#reRooted : this.#read;
    const ctime = ctimes[index] as bigint;
    rows.add(directory, index, this.#isRacy(ctime) ? NO_CTIME : ctime);
    if (rows.isFull) this.#writeRows(kind, rows);
  }

  #writeRows(kind: RowsKind, rows: PendingRows): void {
    if (rows.isEmpty) return;
    const payload = rows.take();
    this.#write(encodeFrame(kind, payload));
    this.#write(payload);
    this.#uncovered = true;
  }

  #write(bytes: Uint8Array): void {
    this.#fd ??= this.#create();
    for (let at = 0; at < bytes.length; ) at += writeSync(this.#fd, bytes, at);
  }

  #create(): number {
    const dir = dirname(this.#path);
    mkdirSync(dir, { recursive: true });
    const fd = openSync(this.#path, 'wx');
    this.#fd = fd;
    this.#flushing = syncPath(dir);
    this.#flushing.catch(() => {});
    this.#write(jsonFrame(HEADER, this.#header));
    return fd;
  }
}
