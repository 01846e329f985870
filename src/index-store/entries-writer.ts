/** Writes the entries of a snapshot while the walk goes on: the hot part as directories fill, the cold part as they close. */
import { closeSync, fsyncSync, openSync, writeSync } from 'node:fs';
import { crc32 } from 'node:zlib';
import { CID_COLUMN_BYTES, type Directory } from '../directory.ts';
import {
  BLOCK_HEADER_BYTES,
  type EntriesHeader,
  encodeHeader,
  FOOTER_BYTES,
  HOT_BLOCK_BYTES,
  HOT_ENTRY_BYTES,
  pad8,
  RECORD_HEADER_BYTES,
} from './entries-format.ts';

const COLD_BUFFER_BYTES = 256 * 1024;

interface OpenDirectory {
  readonly ordinal: number;
  /** Positions of its entries that are in the snapshot. */
  readonly live: readonly number[];
}

export class EntriesWriter {
  readonly #hot: Appender;
  readonly #cold: Appender;
  readonly #block: Buffer[] = [];
  #blockBytes = 0;
  /** Where each directory's cold part begins, by walk order. */
  #offsets = new Float64Array(1024);
  #directories = 0;
  readonly #open: OpenDirectory[] = [];
  readonly #isRacy: (ctimeNs: bigint) => boolean;

  /** @param isRacy whether a file with this ctime may still change within the clock tick in which it was scanned */
  constructor(hotPath: string, coldPath: string, header: EntriesHeader, isRacy: (ctimeNs: bigint) => boolean) {
    this.#hot = new Appender(hotPath);
    this.#cold = new Appender(coldPath);
    this.#isRacy = isRacy;
    this.#hot.append(encodeHeader('hot', header));
    this.#cold.append(encodeHeader('cold', header));
  }

  /** The directory's stat columns are final (its subdirectories are still to come). */
  enter(directory: Directory): void {
    // A subdirectory may still vanish before its turn comes. Both parts list the entries that are live now.
    const live = directory.live();
    this.#open.push({ ordinal: this.#directories, live });
    if (this.#directories === this.#offsets.length) {
      const grown = new Float64Array(this.#offsets.length * 2);
      grown.set(this.#offsets);
      this.#offsets = grown;
    }
    this.#directories++;
    const record = encodeRecord(directory, live, this.#isRacy);
    this.#block.push(record);
    this.#blockBytes += record.length;
    if (this.#blockBytes >= HOT_BLOCK_BYTES) this.#flushBlock();
  }

  /** All CIDs of the directory are known. */
  leave(directory: Directory): void {
    const { ordinal, live } = this.#open.pop() as OpenDirectory;
    this.#offsets[ordinal] = this.#cold.position;
    this.#cold.append(encodeCold(directory, live));
  }

  /** Makes both files durable. */
  finish(): void {
    this.#flushBlock();
    const table = Buffer.from(this.#offsets.buffer, 0, this.#directories * 8);
    const footer = Buffer.alloc(FOOTER_BYTES);
    footer.writeDoubleLE(this.#cold.position, 0);
    footer.writeUInt32LE(this.#directories, 8);
    footer.writeUInt32LE(crc32(table), 12);
    this.#cold.append(table);
    this.#cold.append(footer);
    this.#hot.close(true);
    this.#cold.close(true);
  }

  /** Gives up: the files stay, unfinished, for the next run to overwrite. */
  abandon(): void {
    this.#hot.close(false);
    this.#cold.close(false);
  }

  #flushBlock(): void {
    if (this.#blockBytes === 0) return;
    const payload = Buffer.concat(this.#block);
    const header = Buffer.alloc(BLOCK_HEADER_BYTES);
    header.writeUInt32LE(payload.length, 0);
    header.writeUInt32LE(crc32(payload), 4);
    this.#hot.append(header);
    this.#hot.append(payload);
    this.#block.length = 0;
    this.#blockBytes = 0;
  }
}

function encodeRecord(directory: Directory, live: readonly number[], isRacy: (ctimeNs: bigint) => boolean): Buffer {
  const count = live.length;
  const path = Buffer.from(directory.path, 'latin1');
  const names = Buffer.from(live.map((i) => directory.names[i]).join(''), 'latin1');
  const out = Buffer.from(new ArrayBuffer(pad8(RECORD_HEADER_BYTES + count * HOT_ENTRY_BYTES + path.length + names.length)));
  out.writeUInt32LE(count, 0);
  out.writeUInt32LE(path.length, 4);
  out.writeUInt32LE(names.length, 8);
  const base = out.byteOffset + RECORD_HEADER_BYTES;
  const sizes = new Float64Array(out.buffer, base, count);
  const mtimes = new BigInt64Array(out.buffer, base + 8 * count, count);
  const ctimes = new BigInt64Array(out.buffer, base + 16 * count, count);
  const inodes = new BigUint64Array(out.buffer, base + 24 * count, count);
  const modes = new Uint16Array(out.buffer, base + 32 * count, count);
  const kinds = new Uint8Array(out.buffer, base + 34 * count, count);
  const lengths = new Uint8Array(out.buffer, base + 35 * count, count);
  for (let to = 0; to < count; to++) {
    const i = live[to] as number;
    const ctime = directory.ctimes[i] as bigint;
    sizes[to] = directory.sizes[i] as number;
    mtimes[to] = directory.mtimes[i] as bigint;
    // A racy entry is given a ctime that nothing has, so that the next run looks at it again (as git does with its index).
    ctimes[to] = isRacy(ctime) ? 0n : ctime;
    inodes[to] = directory.inodes[i] as bigint;
    modes[to] = directory.modes[i] as number;
    kinds[to] = directory.kinds[i] as number;
    lengths[to] = (directory.names[i] as string).length;
  }
  const text = RECORD_HEADER_BYTES + HOT_ENTRY_BYTES * count;
  path.copy(out, text);
  names.copy(out, text + path.length);
  return out;
}

function encodeCold(directory: Directory, live: readonly number[]): Buffer {
  const count = live.length;
  const out = Buffer.from(new ArrayBuffer(pad8(count * (8 + CID_COLUMN_BYTES))));
  const { cids, dagSizes } = directory;
  if (cids === undefined || dagSizes === undefined) return out;
  const outSizes = new Float64Array(out.buffer, 0, count);
  for (let to = 0; to < count; to++) {
    const i = live[to] as number;
    outSizes[to] = dagSizes[i] as number;
    cids.copy(out, 8 * count + to * CID_COLUMN_BYTES, i * CID_COLUMN_BYTES, (i + 1) * CID_COLUMN_BYTES);
  }
  return out;
}

/** Sequential writes through one buffer. */
class Appender {
  readonly #fd: number;
  readonly #pending: Buffer[] = [];
  #pendingBytes = 0;
  #position = 0;

  constructor(path: string) {
    this.#fd = openSync(path, 'w');
  }

  get position(): number {
    return this.#position;
  }

  append(bytes: Buffer): void {
    this.#pending.push(bytes);
    this.#pendingBytes += bytes.length;
    this.#position += bytes.length;
    if (this.#pendingBytes >= COLD_BUFFER_BYTES) this.#flush();
  }

  close(durable: boolean): void {
    if (durable) {
      this.#flush();
      fsyncSync(this.#fd);
    }
    closeSync(this.#fd);
  }

  #flush(): void {
    const bytes = Buffer.concat(this.#pending);
    this.#pending.length = 0;
    this.#pendingBytes = 0;
    for (let at = 0; at < bytes.length; ) at += writeSync(this.#fd, bytes, at);
  }
}
