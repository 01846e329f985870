/** The hot part of the entries, block by block. The reader takes blocks in order, the sweep in any order. */
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { crc32 } from 'node:zlib';
import type { ByteString } from '../../core/model.ts';
import type { ParentRecord } from '../../walk/directory.ts';
import type { StatColumns } from '../../walk/stat-columns.ts';
import {
  BLOCK_HEADER_BYTES,
  damagedEntries,
  decodeHeader,
  type EntriesHeader,
  HEADER_BYTES,
  HOT_ENTRY_BYTES,
  pad8,
  RECORD_HEADER_BYTES,
} from './format.ts';

/** Bytes that are copied at once. */
const PIECE_BYTES = 256 * 1024;

/** One directory as it was when its snapshot was committed. Columns are views into the block that was read. */
export type EntriesRecord = ParentRecord;

export class HotFile {
  readonly path: string;
  readonly header: EntriesHeader;
  readonly bytes: number;
  readonly #fd: number;

  /** @throws EntriesDamaged, or the error of a file that is not there */
  constructor(path: string) {
    this.path = path;
    this.#fd = openSync(path, 'r');
    try {
      this.bytes = fstatSync(this.#fd).size;
      this.header = decodeHeader('hot', readAt(this.#fd, 0, HEADER_BYTES), path);
    } catch (error) {
      closeSync(this.#fd);
      throw error;
    }
  }

  /** Where each block begins. */
  offsets(): number[] {
    const offsets: number[] = [];
    for (let at = HEADER_BYTES; at < this.bytes; at += BLOCK_HEADER_BYTES + this.#lengthAt(at)) offsets.push(at);
    return offsets;
  }

  /** Reads the block at `offset`. @param memory where it is read to; if it is too small, larger memory is made and returned */
  block(offset: number, memory: ArrayBuffer): { readonly payload: Buffer; readonly memory: ArrayBuffer; readonly next: number } {
    const length = this.#lengthAt(offset);
    const large = memory.byteLength >= BLOCK_HEADER_BYTES + length ? memory : new ArrayBuffer((BLOCK_HEADER_BYTES + length) * 2);
    const block = readAt(this.#fd, offset, BLOCK_HEADER_BYTES + length, large);
    const payload = block.subarray(BLOCK_HEADER_BYTES);
    if (payload.length !== length || crc32(payload) !== block.readUInt32LE(4)) throw damagedEntries(this.path, `bad checksum at ${offset}`);
    return { payload, memory: large, next: offset + BLOCK_HEADER_BYTES + length };
  }

  /** The bytes of whole blocks, for copying, piece by piece; each is valid until the next. */
  *pieces(from: number, to: number): Generator<Buffer, void, void> {
    const memory = new ArrayBuffer(PIECE_BYTES);
    for (let at = from; at < to; at += PIECE_BYTES) yield readAt(this.#fd, at, Math.min(PIECE_BYTES, to - at), memory);
  }

  /** The end of the record at `at` of a payload. */
  endOf(payload: Buffer, at: number): number {
    const end = at + recordBytes(payload.readUInt32LE(at), payload.readUInt32LE(at + 4) + payload.readUInt32LE(at + 8));
    if (end > payload.length) throw damagedEntries(this.path, 'a record crosses its block');
    return end;
  }

  close(): void {
    closeSync(this.#fd);
  }

  #lengthAt(offset: number): number {
    const header = readAt(this.#fd, offset, BLOCK_HEADER_BYTES);
    if (header.length < BLOCK_HEADER_BYTES) throw damagedEntries(this.path, 'torn block header');
    const length = header.readUInt32LE(0);
    if (offset + BLOCK_HEADER_BYTES + length > this.bytes) throw damagedEntries(this.path, 'torn block');
    return length;
  }
}

/** Path of the record at `at` of a payload. */
export function pathAt(payload: Buffer, at: number): ByteString {
  const text = at + RECORD_HEADER_BYTES + payload.readUInt32LE(at) * HOT_ENTRY_BYTES;
  return payload.toString('latin1', text, text + payload.readUInt32LE(at + 4));
}

/** A record whose names are still bytes, and whose 64-bit columns are pairs of words, low first. */
export interface RawRecord {
  readonly count: number;
  /** Where the names stand, one after the other from `namesAt`. */
  readonly text: Buffer;
  readonly namesAt: number;
  readonly lengths: Uint8Array;
  readonly kinds: Uint8Array;
  readonly modes: Uint16Array;
  readonly sizes: Float64Array;
  readonly mtimes: Uint32Array;
  readonly ctimes: Uint32Array;
  readonly inodes: Uint32Array;
  names(): readonly ByteString[];
}

export function rawAt(payload: Buffer, at: number): RawRecord {
  const count = payload.readUInt32LE(at);
  const { buffer } = payload;
  const base = payload.byteOffset + at + RECORD_HEADER_BYTES;
  return {
    count,
    text: payload,
    namesAt: at + RECORD_HEADER_BYTES + count * HOT_ENTRY_BYTES + payload.readUInt32LE(at + 4),
    sizes: new Float64Array(buffer, base, count),
    mtimes: new Uint32Array(buffer, base + 8 * count, 2 * count),
    ctimes: new Uint32Array(buffer, base + 16 * count, 2 * count),
    inodes: new Uint32Array(buffer, base + 24 * count, 2 * count),
    modes: new Uint16Array(buffer, base + 32 * count, count),
    kinds: new Uint8Array(buffer, base + 34 * count, count),
    lengths: new Uint8Array(buffer, base + 35 * count, count),
    names: () => recordAt(payload, at, 0).names,
  };
}

export function recordAt(payload: Buffer, at: number, ordinal: number): EntriesRecord {
  const { count, namesAt, lengths } = rawAt(payload, at);
  const namesEnd = namesAt + payload.readUInt32LE(at + 8);
  const allNames = payload.toString('latin1', namesAt, namesEnd);
  const names: ByteString[] = new Array(count);
  for (let i = 0, from = 0; i < count; i++) {
    const to = from + (lengths[i] as number);
    names[i] = allNames.slice(from, to);
    from = to;
  }
  const own = () => {
    const bytes = Buffer.from(new ArrayBuffer(pad8(namesEnd - at)));
    payload.copy(bytes, 0, at);
    return { bytes, columns: columnsAt(bytes, 0) };
  };
  return { ordinal, path: pathAt(payload, at), names, ...columnsAt(payload, at), own };
}

function columnsAt(payload: Buffer, at: number): StatColumns {
  const { count, kinds, modes, sizes, mtimes, ctimes, inodes } = rawAt(payload, at);
  return {
    kinds,
    modes,
    sizes,
    mtimes: new BigInt64Array(mtimes.buffer, mtimes.byteOffset, count),
    ctimes: new BigInt64Array(ctimes.buffer, ctimes.byteOffset, count),
    inodes: new BigUint64Array(inodes.buffer, inodes.byteOffset, count),
  };
}

/** @param textBytes of the path and all names */
export function recordBytes(count: number, textBytes: number): number {
  return pad8(RECORD_HEADER_BYTES + count * HOT_ENTRY_BYTES + textBytes);
}

/** Reads to the start of `memory`, so that columns are aligned; shorter than asked for at the end of the file. */
export function readAt(fd: number, position: number, length: number, memory = new ArrayBuffer(length)): Buffer {
  const out = Buffer.from(memory, 0, length);
  let at = 0;
  while (at < length) {
    const got = readSync(fd, out, at, length - at, position + at);
    if (got === 0) break;
    at += got;
  }
  return out.subarray(0, at);
}
