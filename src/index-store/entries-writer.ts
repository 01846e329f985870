/** Writes the entries of a snapshot while the walk goes on: the hot part as directories fill, the cold part as they close. */
import { randomBytes } from 'node:crypto';
import { closeSync, fsyncSync, openSync, writeSync } from 'node:fs';
import { crc32 } from 'node:zlib';
import { CID_COLUMN_BYTES, type Directory, DROPPED, NO_CTIME } from '../directory.ts';
import {
  BLOCK_HEADER_BYTES,
  COLD_HEADER_BYTES,
  encodeHeader,
  FOOTER_BYTES,
  HOT_BLOCK_BYTES,
  HOT_ENTRY_BYTES,
  pad8,
  RECORD_HEADER_BYTES,
  type RootStat,
} from './entries-format.ts';

const BUFFER_BYTES = 256 * 1024;

interface OpenDirectory {
  readonly ordinal: number;
  /** Positions of its entries that are in the snapshot. */
  readonly live: readonly number[];
}

export class EntriesWriter {
  readonly #hot: Appender;
  readonly #cold: Appender;
  /** The hot block that is being filled, after room for its header. */
  #block = new ArrayBuffer(BUFFER_BYTES);
  #blockEnd = BLOCK_HEADER_BYTES;
  /** Where each directory's cold part begins, by walk order. */
  #offsets = new Float64Array(1024);
  #directories = 0;
  readonly #open: OpenDirectory[] = [];
  readonly #isRacy: (ctimeNs: bigint) => boolean;

  /** @param isRacy whether a file with this ctime may still change within the clock tick in which it was scanned */
  constructor(hotPath: string, coldPath: string, root: RootStat, isRacy: (ctimeNs: bigint) => boolean) {
    this.#hot = new Appender(hotPath);
    this.#cold = new Appender(coldPath);
    this.#isRacy = isRacy;
    const header = { ...root, pair: randomBytes(8).readBigUInt64LE() };
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
    const bytes = recordBytes(directory, live);
    if (this.#blockEnd + bytes > this.#block.byteLength) this.#block = grown(this.#block, this.#blockEnd + bytes);
    writeRecord(this.#block, this.#blockEnd, directory, live, this.#isRacy);
    this.#blockEnd += bytes;
    if (this.#blockEnd >= HOT_BLOCK_BYTES) this.#flushBlock();
  }

  /** All CIDs of the directory are known. */
  leave(directory: Directory): void {
    const { ordinal, live } = this.#open.pop() as OpenDirectory;
    this.#offsets[ordinal] = this.#cold.position;
    const bytes = COLD_HEADER_BYTES + pad8(live.length * (8 + CID_COLUMN_BYTES));
    writeCold(this.#cold.reserve(bytes), directory, live);
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

  /** Gives up, unless it is finished: the files stay as they are, for the next run to overwrite. */
  abandon(): void {
    this.#hot.close(false);
    this.#cold.close(false);
  }

  #flushBlock(): void {
    if (this.#blockEnd === BLOCK_HEADER_BYTES) return;
    const block = Buffer.from(this.#block, 0, this.#blockEnd);
    const payload = block.subarray(BLOCK_HEADER_BYTES);
    block.writeUInt32LE(payload.length, 0);
    block.writeUInt32LE(crc32(payload), 4);
    this.#hot.append(block);
    this.#blockEnd = BLOCK_HEADER_BYTES;
  }
}

function grown(memory: ArrayBuffer, bytes: number): ArrayBuffer {
  const larger = new ArrayBuffer(pad8(bytes * 2));
  new Uint8Array(larger).set(new Uint8Array(memory));
  return larger;
}

function recordBytes(directory: Directory, live: readonly number[]): number {
  let bytes = RECORD_HEADER_BYTES + live.length * HOT_ENTRY_BYTES + directory.path.length;
  for (const i of live) bytes += (directory.names[i] as string).length;
  return pad8(bytes);
}

function writeRecord(
  block: ArrayBuffer,
  start: number,
  directory: Directory,
  live: readonly number[],
  isRacy: (ctimeNs: bigint) => boolean,
): void {
  const count = live.length;
  const base = start + RECORD_HEADER_BYTES;
  const sizes = new Float64Array(block, base, count);
  const mtimes = new BigInt64Array(block, base + 8 * count, count);
  const ctimes = new BigInt64Array(block, base + 16 * count, count);
  const inodes = new BigUint64Array(block, base + 24 * count, count);
  const modes = new Uint16Array(block, base + 32 * count, count);
  const kinds = new Uint8Array(block, base + 34 * count, count);
  const lengths = new Uint8Array(block, base + 35 * count, count);
  const out = Buffer.from(block);
  const pathAt = base + HOT_ENTRY_BYTES * count;
  const namesAt = pathAt + out.write(directory.path, pathAt, 'latin1');
  let at = namesAt;
  for (let to = 0; to < count; to++) {
    const i = live[to] as number;
    const ctime = directory.ctimes[i] as bigint;
    sizes[to] = directory.sizes[i] as number;
    mtimes[to] = directory.mtimes[i] as bigint;
    // A racy entry is given a ctime that nothing has, so that the next run looks at it again (as git does with its index).
    ctimes[to] = isRacy(ctime) ? NO_CTIME : ctime;
    inodes[to] = directory.inodes[i] as bigint;
    modes[to] = directory.modes[i] as number;
    kinds[to] = directory.kinds[i] as number;
    const name = directory.names[i] as string;
    lengths[to] = name.length;
    at += out.write(name, at, 'latin1');
  }
  out.writeUInt32LE(count, start);
  out.writeUInt32LE(directory.path.length, start + 4);
  out.writeUInt32LE(at - namesAt, start + 8);
  out.writeUInt32LE(0, start + 12);
  out.fill(0, at, start + pad8(at - start));
}

function writeCold(out: Buffer, directory: Directory, live: readonly number[]): void {
  const columns = out.subarray(COLD_HEADER_BYTES);
  columns.fill(0);
  writeCids(columns, directory, live);
  out.writeUInt32LE(live.length, 0);
  out.writeUInt32LE(crc32(columns), 4);
}

function writeCids(out: Buffer, { cids, dagSizes, states }: Directory, live: readonly number[]): void {
  if (cids === undefined || dagSizes === undefined) return;
  const count = live.length;
  for (let to = 0; to < count; to++) {
    const i = live[to] as number;
    // It vanished after `enter` had listed it: a codec of 0 says that it has no CID.
    if (states[i] === DROPPED) continue;
    out.writeDoubleLE(dagSizes[i] as number, to * 8);
    cids.copy(out, 8 * count + to * CID_COLUMN_BYTES, i * CID_COLUMN_BYTES, (i + 1) * CID_COLUMN_BYTES);
  }
}

/** Sequential writes through one buffer. */
class Appender {
  #fd: number | undefined;
  #buffer = Buffer.alloc(BUFFER_BYTES);
  #buffered = 0;
  #written = 0;

  constructor(path: string) {
    this.#fd = openSync(path, 'w');
  }

  get position(): number {
    return this.#written + this.#buffered;
  }

  append(bytes: Buffer): void {
    bytes.copy(this.reserve(bytes.length));
  }

  /** The place of the next bytes, to be filled before anything else is appended. */
  reserve(bytes: number): Buffer {
    if (this.#buffered + bytes > this.#buffer.length) this.#flush();
    if (bytes > this.#buffer.length) this.#buffer = Buffer.alloc(bytes * 2);
    this.#buffered += bytes;
    return this.#buffer.subarray(this.#buffered - bytes, this.#buffered);
  }

  close(durable: boolean): void {
    const fd = this.#fd;
    if (fd === undefined) return;
    if (durable) {
      this.#flush(fd);
      fsyncSync(fd);
    }
    this.#fd = undefined;
    closeSync(fd);
  }

  #flush(fd = this.#fd as number): void {
    for (let at = 0; at < this.#buffered; ) at += writeSync(fd, this.#buffer, at, this.#buffered - at);
    this.#written += this.#buffered;
    this.#buffered = 0;
  }
}
