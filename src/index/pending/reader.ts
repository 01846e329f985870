/** Reads the pending entries of a run that died before its commit. */
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { crc32 } from 'node:zlib';
import { type ByteString, DIGEST_BYTES, FILE } from '../../core/model.ts';
import { CID_COLUMN_BYTES } from '../../walk/directory.ts';
import type { EntriesRecord } from '../entries/hot-file.ts';
import {
  FRAME_BYTES,
  GROUP_BYTES,
  HEADER,
  PENDING_VERSION,
  type PendingHeader,
  ROW_BYTES,
  type RowsKind,
  SHARDS,
  type ShardName,
} from './format.ts';

/** Some files of one directory, by name. */
export interface PendingRecord extends Omit<EntriesRecord, 'ordinal' | 'own'> {
  /** count × 33 bytes: codec, digest. */
  readonly cids: Buffer;
  readonly dagSizes: Float64Array;
}

/** A frame whose 16 bytes have a good checksum, and whose payload ends within the file. */
interface Frame {
  readonly kind: number;
  readonly at: number;
  readonly bytes: number;
  readonly crc: number;
}

export class PendingReader {
  readonly header: PendingHeader | undefined;
  /** The shards that the rows need. */
  readonly shards: readonly number[];
  readonly #fd: number;
  readonly #size: number;
  /** Ranges of the file, in order, with frames whose rows count. */
  readonly #ranges: { readonly from: number; to: number }[] = [];

  /** @param isThere whether a shard is placed, and on peers that answer */
  constructor(path: string, isThere: (shard: ShardName) => boolean) {
    this.#fd = openSync(path, 'r');
    this.#size = fstatSync(this.#fd).size;
    const first = this.#frame(0);
    this.header = first?.kind === HEADER ? (this.#json(first) as PendingHeader | undefined) : undefined;
    const shards = new Set<number>();
    if (first !== undefined && this.header?.version === PENDING_VERSION) this.#believe(first, isThere, shards);
    this.shards = [...shards];
  }

  /** The records of one kind, in walk order; a directory with many files has several. */
  *records(kind: RowsKind): Generator<PendingRecord, void, void> {
    for (const { from, to } of this.#ranges) {
      for (let frame = this.#frame(from); frame !== undefined && frame.at < to; frame = this.#after(frame)) {
        if (frame.kind !== kind) continue;
        const block = this.#payload(frame);
        // A damaged payload is left out: its files are read from the source again.
        if (block !== undefined) yield* recordsOf(block);
      }
    }
  }

  close(): void {
    closeSync(this.#fd);
  }

  /** Finds the ranges whose rows count, because all shards that they need are there. */
  #believe(header: Frame, isThere: (shard: ShardName) => boolean, shards: Set<number>): void {
    let from = header.at + header.bytes;
    for (let frame = this.#frame(from); frame !== undefined; frame = this.#after(frame)) {
      if (frame.kind !== SHARDS) continue;
      const named = this.#json(frame) as readonly ShardName[] | undefined;
      if (named?.every(isThere) === true) {
        for (const [number] of named) shards.add(number);
        const last = this.#ranges.at(-1);
        if (last?.to === from) last.to = frame.at + frame.bytes;
        else this.#ranges.push({ from, to: frame.at + frame.bytes });
      }
      from = frame.at + frame.bytes;
    }
  }

  #after(frame: Frame): Frame | undefined {
    return this.#frame(frame.at + frame.bytes);
  }

  #frame(position: number): Frame | undefined {
    const head = this.#read(position, FRAME_BYTES);
    if (head.length < FRAME_BYTES || crc32(head.subarray(0, 12)) !== head.readUInt32LE(12)) return undefined;
    const at = position + FRAME_BYTES;
    const bytes = head.readUInt32LE(4);
    return at + bytes > this.#size ? undefined : { kind: head.readUInt32LE(0), at, bytes, crc: head.readUInt32LE(8) };
  }

  #payload({ at, bytes, crc }: Frame): Buffer | undefined {
    const payload = this.#read(at, bytes);
    return payload.length === bytes && crc32(payload) === crc ? payload : undefined;
  }

  #json(frame: Frame): unknown {
    const payload = this.#payload(frame);
    return payload === undefined ? undefined : JSON.parse(payload.toString());
  }

  #read(position: number, length: number): Buffer {
    const out = Buffer.from(new ArrayBuffer(length));
    return out.subarray(0, readSync(this.#fd, out, 0, length, position));
  }
}

function* recordsOf(block: Buffer): Generator<PendingRecord, void, void> {
  for (let at = 0; at < block.length; ) {
    const count = block.readUInt32LE(at);
    const pathBytes = block.readUInt32LE(at + 4);
    const path = block.toString('latin1', at + GROUP_BYTES, at + GROUP_BYTES + pathBytes);
    const record = emptyRecord(path, count);
    at = aligned(at + GROUP_BYTES + pathBytes);
    for (let i = 0; i < count; i++) at = readRow(block, at, record, i);
    yield record;
  }
}

type Writable = PendingRecord & { readonly names: ByteString[] };

function emptyRecord(path: ByteString, count: number): Writable {
  return {
    path,
    names: new Array(count),
    kinds: new Uint8Array(count).fill(FILE),
    modes: new Uint16Array(count),
    sizes: new Float64Array(count),
    mtimes: new BigInt64Array(count),
    ctimes: new BigInt64Array(count),
    inodes: new BigUint64Array(count),
    cids: Buffer.alloc(count * CID_COLUMN_BYTES),
    dagSizes: new Float64Array(count),
  };
}

/** Returns the offset after the row. */
function readRow(block: Buffer, at: number, record: Writable, i: number): number {
  record.sizes[i] = block.readDoubleLE(at);
  record.dagSizes[i] = block.readDoubleLE(at + 8);
  record.mtimes[i] = block.readBigInt64LE(at + 16);
  record.ctimes[i] = block.readBigInt64LE(at + 24);
  record.inodes[i] = block.readBigUInt64LE(at + 32);
  record.modes[i] = block.readUInt16LE(at + 40);
  record.cids[i * CID_COLUMN_BYTES] = block[at + 42] as number;
  block.copy(record.cids, i * CID_COLUMN_BYTES + 1, at + 44, at + 44 + DIGEST_BYTES);
  const end = at + ROW_BYTES + (block[at + 43] as number);
  record.names[i] = block.toString('latin1', at + ROW_BYTES, end);
  return aligned(end);
}

function aligned(at: number): number {
  return (at + 7) & ~7;
}
