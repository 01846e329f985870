/** The cold part of the entries: CIDs and DAG sizes, read for one directory at a time. */
import { closeSync, fstatSync, openSync } from 'node:fs';
import { crc32 } from 'node:zlib';
import { CID_COLUMN_BYTES } from '../../walk/directory.ts';
import type { Appender } from '../files/appender.ts';
import { COLD_HEADER_BYTES, coldBytes, damagedEntries, decodeHeader, FOOTER_BYTES, HEADER_BYTES, WIDE } from './format.ts';
import { readAt } from './hot-file.ts';

/** The CIDs of a directory's entries, in the order of its names. A view, valid until the next call of `record`. */
export interface ColdRecord {
  /** count × 33 bytes: codec, digest. */
  readonly cids: Buffer;
  readonly dagSizes: Float64Array | Uint32Array;
}

export class ColdFile {
  readonly #path: string;
  readonly #fd: number;
  /** Where each directory's record begins, in walk order. */
  readonly #offsets: Float64Array;
  /** Where the records end. */
  readonly #end: number;
  #memory = new ArrayBuffer(0);

  /** @param pair that of the hot part @throws EntriesDamaged, or the error of a file that is not there */
  constructor(path: string, pair: bigint) {
    this.#path = path;
    this.#fd = openSync(path, 'r');
    try {
      const size = fstatSync(this.#fd).size;
      const footer = size < FOOTER_BYTES ? Buffer.alloc(0) : readAt(this.#fd, size - FOOTER_BYTES, FOOTER_BYTES);
      this.#end = footer.length === FOOTER_BYTES ? footer.readDoubleLE(0) : Number.NaN;
      const directories = footer.length === FOOTER_BYTES ? footer.readUInt32LE(8) : 0;
      if (this.#end + directories * 8 + FOOTER_BYTES !== size) throw damagedEntries(path, 'bad footer');
      if (decodeHeader('cold', readAt(this.#fd, 0, HEADER_BYTES), path).pair !== pair)
        throw damagedEntries(path, 'it belongs to other entries');
      const table = readAt(this.#fd, this.#end, directories * 8);
      if (crc32(table) !== footer.readUInt32LE(12)) throw damagedEntries(path, 'bad checksum of the offsets');
      this.#offsets = new Float64Array(table.buffer, table.byteOffset, directories);
    } catch (error) {
      closeSync(this.#fd);
      throw error;
    }
  }

  get directories(): number {
    return this.#offsets.length;
  }

  record(ordinal: number, count: number): ColdRecord {
    const { offset, bytes, wide } = this.#place(ordinal, count);
    if (this.#memory.byteLength < bytes) this.#memory = new ArrayBuffer(bytes * 2);
    const record = readAt(this.#fd, offset, bytes, this.#memory);
    const columns = record.subarray(COLD_HEADER_BYTES);
    if (record.length < bytes || record.readUInt32LE(4) !== crc32(columns)) throw damagedEntries(this.#path, `bad checksum at ${offset}`);
    const sizes = wide ? Float64Array : Uint32Array;
    const sizesBytes = count * sizes.BYTES_PER_ELEMENT;
    return {
      dagSizes: new sizes(columns.buffer as ArrayBuffer, columns.byteOffset, count),
      cids: columns.subarray(sizesBytes, sizesBytes + count * CID_COLUMN_BYTES),
    };
  }

  /** Where the records of a directory and of all below it are: they stand together, its own at the end. */
  subtree(ordinal: number, directories: number): { readonly from: number; readonly to: number; readonly starts: Float64Array } {
    const { offset, bytes } = this.#place(ordinal);
    const starts = this.#offsets.subarray(ordinal, ordinal + directories);
    if (starts.length < directories) throw damagedEntries(this.#path, 'directories are missing');
    let from = offset;
    for (const start of starts) if (start < from) from = start;
    return { from, to: offset + bytes, starts };
  }

  /** Bytes of the file, for copying. @param memory where they go; absent: new memory */
  read(from: number, bytes: number, memory = new ArrayBuffer(bytes)): Buffer {
    const read = readAt(this.#fd, from, bytes, memory);
    if (read.length < bytes) throw damagedEntries(this.#path, 'torn record');
    return read;
  }

  /** Where the record of a directory stands. */
  placeOf(ordinal: number): { readonly offset: number; readonly bytes: number } {
    return this.#place(ordinal);
  }

  get offsets(): Float64Array {
    return this.#offsets;
  }

  /** Where the records end. */
  get end(): number {
    return this.#end;
  }

  close(): void {
    closeSync(this.#fd);
  }

  #place(ordinal: number, expected?: number): { offset: number; bytes: number; wide: boolean } {
    const offset = this.#offsets[ordinal];
    if (offset === undefined || !(offset >= HEADER_BYTES) || offset + COLD_HEADER_BYTES > this.#end)
      throw damagedEntries(this.#path, 'bad offset');
    const header = readAt(this.#fd, offset, 4).readUInt32LE(0);
    const wide = header >= WIDE;
    const count = wide ? header - WIDE : header;
    const bytes = coldBytes(count, wide);
    if (offset + bytes > this.#end || (expected !== undefined && count !== expected))
      throw damagedEntries(this.#path, `bad count at ${offset}`);
    return { offset, bytes, wide };
  }
}

/** Ends a cold file. @param offsets where each directory's record begins, in walk order */
export function appendFooter(cold: Appender, offsets: Float64Array): void {
  const table = Buffer.from(offsets.buffer, offsets.byteOffset, offsets.byteLength);
  const footer = Buffer.alloc(FOOTER_BYTES);
  footer.writeDoubleLE(cold.position, 0);
  footer.writeUInt32LE(offsets.length, 8);
  footer.writeUInt32LE(crc32(table), 12);
  cold.append(table);
  cold.append(footer);
}
