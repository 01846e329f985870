/** Reads the entries of a snapshot: the hot part front to back, the cold part of a directory when it is asked for. */
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { crc32 } from 'node:zlib';
import { CID_COLUMN_BYTES } from '../directory.ts';
import type { ByteString } from '../model.ts';
import {
  BLOCK_HEADER_BYTES,
  COLD_HEADER_BYTES,
  damagedEntries,
  decodeHeader,
  type EntriesHeader,
  FOOTER_BYTES,
  HEADER_BYTES,
  HOT_ENTRY_BYTES,
  pad8,
  RECORD_HEADER_BYTES,
} from './entries-format.ts';

/**
 * One directory as it was when its snapshot was committed. Columns are views into the block that was read, and valid until
 * the next but one call of `next`: there are two blocks of memory, and they take turns.
 */
export interface EntriesRecord {
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

/** The CIDs of a directory's entries, in the order of its names. A view, valid until the next call of `cold`. */
export interface ColdRecord {
  /** count × 33 bytes: codec, digest. */
  readonly cids: Buffer;
  readonly dagSizes: Float64Array;
}

export class EntriesReader {
  readonly header: EntriesHeader;
  readonly #hotPath: string;
  readonly #coldPath: string;
  readonly #hot: number;
  readonly #hotBytes: number;
  readonly #cold: { readonly fd: number; readonly offsets: Float64Array; readonly end: number };
  #position = HEADER_BYTES;
  #block: Buffer = Buffer.alloc(0);
  #memory: [ArrayBuffer, ArrayBuffer] = [new ArrayBuffer(0), new ArrayBuffer(0)];
  #coldMemory = new ArrayBuffer(0);
  #at = 0;
  #ordinal = 0;

  /** @throws EntriesDamaged, or the error of a file that is not there */
  constructor(hotPath: string, coldPath: string) {
    this.#hotPath = hotPath;
    this.#coldPath = coldPath;
    this.#hot = openSync(hotPath, 'r');
    try {
      this.#hotBytes = fstatSync(this.#hot).size;
      this.header = decodeHeader('hot', read(this.#hot, 0, HEADER_BYTES), hotPath);
      this.#cold = openCold(coldPath, this.header.pair);
    } catch (error) {
      closeSync(this.#hot);
      throw error;
    }
  }

  /** The next directory in walk order, or undefined after the last. */
  next(): EntriesRecord | undefined {
    if (this.#at === this.#block.length && !this.#nextBlock()) return undefined;
    const block = this.#block;
    const start = block.byteOffset + this.#at;
    const count = block.readUInt32LE(this.#at);
    const pathBytes = block.readUInt32LE(this.#at + 4);
    const nameBytes = block.readUInt32LE(this.#at + 8);
    const base = start + RECORD_HEADER_BYTES;
    const text = this.#at + RECORD_HEADER_BYTES + count * HOT_ENTRY_BYTES;
    const end = this.#at + pad8(RECORD_HEADER_BYTES + count * HOT_ENTRY_BYTES + pathBytes + nameBytes);
    if (end > block.length) throw damagedEntries(this.#hotPath, 'a record crosses its block');
    const names: ByteString[] = new Array(count);
    const allNames = block.toString('latin1', text + pathBytes, text + pathBytes + nameBytes);
    const lengths = new Uint8Array(block.buffer, base + 35 * count, count);
    for (let i = 0, at = 0; i < count; i++) {
      const next = at + (lengths[i] as number);
      names[i] = allNames.slice(at, next);
      at = next;
    }
    this.#at = end;
    return {
      ordinal: this.#ordinal++,
      path: block.toString('latin1', text, text + pathBytes),
      names,
      sizes: new Float64Array(block.buffer, base, count),
      mtimes: new BigInt64Array(block.buffer, base + 8 * count, count),
      ctimes: new BigInt64Array(block.buffer, base + 16 * count, count),
      inodes: new BigUint64Array(block.buffer, base + 24 * count, count),
      modes: new Uint16Array(block.buffer, base + 32 * count, count),
      kinds: new Uint8Array(block.buffer, base + 34 * count, count),
    };
  }

  cold(ordinal: number, count: number): ColdRecord {
    const { fd, offsets, end } = this.#cold;
    const bytes = COLD_HEADER_BYTES + pad8(count * (8 + CID_COLUMN_BYTES));
    const offset = offsets[ordinal];
    if (offset === undefined || !(offset >= HEADER_BYTES) || offset + bytes > end) throw damagedEntries(this.#coldPath, 'bad offset');
    this.#coldMemory = atLeast(this.#coldMemory, bytes);
    const record = read(fd, offset, bytes, this.#coldMemory);
    const columns = record.subarray(COLD_HEADER_BYTES);
    if (record.readUInt32LE(0) !== count || record.readUInt32LE(4) !== crc32(columns)) {
      throw damagedEntries(this.#coldPath, `bad checksum at ${offset}`);
    }
    return {
      dagSizes: new Float64Array(columns.buffer, columns.byteOffset, count),
      cids: columns.subarray(8 * count, (8 + CID_COLUMN_BYTES) * count),
    };
  }

  close(): void {
    closeSync(this.#hot);
    closeSync(this.#cold.fd);
  }

  #nextBlock(): boolean {
    if (this.#position === this.#hotBytes) return false;
    const header = read(this.#hot, this.#position, BLOCK_HEADER_BYTES);
    if (header.length < BLOCK_HEADER_BYTES) throw damagedEntries(this.#hotPath, 'torn block header');
    const length = header.readUInt32LE(0);
    if (this.#position + BLOCK_HEADER_BYTES + length > this.#hotBytes) throw damagedEntries(this.#hotPath, 'torn block');
    this.#memory = [atLeast(this.#memory[1], length), this.#memory[0]];
    this.#block = read(this.#hot, this.#position + BLOCK_HEADER_BYTES, length, this.#memory[0]);
    if (this.#block.length !== length || crc32(this.#block) !== header.readUInt32LE(4)) {
      throw damagedEntries(this.#hotPath, `bad checksum at ${this.#position}`);
    }
    this.#position += BLOCK_HEADER_BYTES + length;
    this.#at = 0;
    return length > 0;
  }
}

function openCold(path: string, pair: bigint): { fd: number; offsets: Float64Array; end: number } {
  const fd = openSync(path, 'r');
  try {
    const size = fstatSync(fd).size;
    const footer = size < FOOTER_BYTES ? Buffer.alloc(0) : read(fd, size - FOOTER_BYTES, FOOTER_BYTES);
    const end = footer.length === FOOTER_BYTES ? footer.readDoubleLE(0) : Number.NaN;
    const directories = footer.length === FOOTER_BYTES ? footer.readUInt32LE(8) : 0;
    if (end + directories * 8 + FOOTER_BYTES !== size) throw damagedEntries(path, 'bad footer');
    if (decodeHeader('cold', read(fd, 0, HEADER_BYTES), path).pair !== pair) throw damagedEntries(path, 'it belongs to other entries');
    const table = read(fd, end, directories * 8);
    if (crc32(table) !== footer.readUInt32LE(12)) throw damagedEntries(path, 'bad checksum of the offsets');
    return { fd, offsets: new Float64Array(table.buffer, table.byteOffset, directories), end };
  } catch (error) {
    closeSync(fd);
    throw error;
  }
}

function atLeast(memory: ArrayBuffer, bytes: number): ArrayBuffer {
  return memory.byteLength >= bytes ? memory : new ArrayBuffer(bytes * 2);
}

/** Reads to the start of `memory`, so that columns are aligned; shorter than asked for at the end of the file. */
function read(fd: number, position: number, length: number, memory = new ArrayBuffer(length)): Buffer {
  const out = Buffer.from(memory, 0, length);
  let at = 0;
  while (at < length) {
    const got = readSync(fd, out, at, length - at, position + at);
    if (got === 0) break;
    at += got;
  }
  return out.subarray(0, at);
}
