/** Writes the entries of a snapshot during the walk: a directory's hot record when it is entered, its cold record when it is left. */
import { randomBytes } from 'node:crypto';
import { crc32 } from 'node:zlib';
import { CID_COLUMN_BYTES, type Directory, DROPPED, NO_CTIME } from '../../walk/directory.ts';
import { copyStat } from '../../walk/stat-columns.ts';
import { Appender } from '../files/appender.ts';
import { writeBlockList } from './block-list.ts';
import { appendFooter } from './cold-file.ts';
import {
  COLD_HEADER_BYTES,
  coldBytes,
  damagedEntries,
  encodeHeader,
  HOT_ENTRY_BYTES,
  pad8,
  RECORD_HEADER_BYTES,
  type RootStat,
  WIDE,
} from './format.ts';
import { pathAt, recordBytes } from './hot-file.ts';
import { HotWriter } from './hot-writer.ts';
import type { EntriesReader } from './reader.ts';

/** Bytes copied at once. */
const PIECE_BYTES = 256 * 1024;

interface OpenDirectory {
  readonly ordinal: number;
  /** Positions of its entries that are in the snapshot. */
  readonly live: Uint32Array;
}

export class EntriesWriter {
  readonly #hot: HotWriter;
  readonly #cold: Appender;
  readonly #blocksPath: string | undefined;
  readonly #pair: bigint;
  /** Where each directory's cold record begins, in walk order. */
  #offsets = new Float64Array(1024);
  #directories = 0;
  readonly #open: OpenDirectory[] = [];
  readonly #isRacy: (ctimeNs: bigint) => boolean;

  /**
   * @param isRacy whether a file with this ctime may still change within the clock tick in which it was scanned
   * @param blocks path of the list of blocks; absent: nobody looks up single directories there
   */
  constructor(
    { hot, cold, blocks }: { readonly hot: string; readonly cold: string; readonly blocks?: string },
    root: RootStat,
    isRacy: (ctimeNs: bigint) => boolean,
  ) {
    const header = { ...root, pair: randomBytes(8).readBigUInt64LE() };
    this.#hot = new HotWriter(hot, header);
    this.#cold = new Appender(cold);
    this.#blocksPath = blocks;
    this.#pair = header.pair;
    this.#isRacy = isRacy;
    this.#cold.append(encodeHeader('cold', header));
  }

  /** Writes the hot record. The directory's stat columns are final; its subdirectories are still to come. */
  enter(directory: Directory): void {
    // Both records list the entries that are live now. A subdirectory among them may still vanish before the walk comes to it.
    const live = directory.live();
    this.#open.push({ ordinal: this.#directories, live });
    this.#count();
    const { record } = directory;
    const asIs = record !== undefined && live.length === directory.count;
    const { block, at } = this.#hot.reserve(asIs ? record.length : bytesOf(directory, live), () => directory.path);
    if (asIs) record.copy(Buffer.from(block, at));
    else writeRecord(block, at, directory, live);
    this.#markRacy(block, at + RECORD_HEADER_BYTES, live.length);
  }

  /** Writes the cold record, when all CIDs of the directory are known. */
  leave(directory: Directory): void {
    const opened = this.#open.pop();
    if (opened === undefined) throw new Error('a directory is left that was not entered');
    const { ordinal, live } = opened;
    this.#offsets[ordinal] = this.#cold.position;
    const wide = live.some((i) => (directory.dagSizes?.[i] ?? 0) >= 2 ** 32);
    writeCold(this.#cold.reserve(coldBytes(live.length, wide)), directory, live, wide);
  }

  /** Copies the records of a whole subtree from the parent. @param ordinal of its top @param directories in it, the top included */
  copy(parent: EntriesReader, ordinal: number, directories: number): void {
    while (parent.ordinal < ordinal) parent.skip();
    const { from, to, starts } = parent.coldFile.subtree(ordinal, directories);
    const shift = this.#cold.position - from;
    for (const start of starts) {
      // `#count` may replace the array: it must come before the array is used.
      const copied = this.#count();
      this.#offsets[copied] = start + shift;
      const record = parent.skip();
      if (record === undefined) throw damagedEntries(parent.hot.path, 'directories are missing');
      const { block, at } = this.#hot.reserve(record.length, () => pathAt(record, 0));
      record.copy(Buffer.from(block, at));
    }
    for (let at = from; at < to; at += PIECE_BYTES) this.#cold.append(parent.coldFile.read(at, Math.min(PIECE_BYTES, to - at)));
  }

  /** Ends both files. @param isDurable false for what is read once, and then dropped */
  finish(isDurable = true): void {
    appendFooter(this.#cold, this.#offsets.subarray(0, this.#directories));
    this.#hot.finish(isDurable);
    this.#cold.finish(isDurable);
    if (this.#blocksPath !== undefined) writeBlockList(this.#blocksPath, this.#pair, this.#hot.blocks);
  }

  /** Closes both files, unless they are finished, and leaves them for the next run to overwrite. */
  abandon(): void {
    this.#hot.abandon();
    this.#cold.abandon();
  }

  /** Counts one more directory; returns its position in walk order. */
  #count(): number {
    if (this.#directories === this.#offsets.length) {
      const grown = new Float64Array(this.#offsets.length * 2);
      grown.set(this.#offsets);
      this.#offsets = grown;
    }
    return this.#directories++;
  }

  /** Gives racy entries a ctime that no file has, so that the next run reads them again (as git does with its index). */
  #markRacy(block: ArrayBuffer, columnsAt: number, count: number): void {
    const ctimes = new BigInt64Array(block, columnsAt + 16 * count, count);
    for (let i = 0; i < count; i++) if (this.#isRacy(ctimes[i] as bigint)) ctimes[i] = NO_CTIME;
  }
}

function bytesOf(directory: Directory, live: Uint32Array): number {
  let text = directory.path.length;
  for (const i of live) text += directory.names[i]?.length ?? 0;
  return recordBytes(live.length, text);
}

function writeRecord(block: ArrayBuffer, start: number, directory: Directory, live: Uint32Array): void {
  const count = live.length;
  const base = start + RECORD_HEADER_BYTES;
  const sizes = new Float64Array(block, base, count);
  const mtimes = new BigInt64Array(block, base + 8 * count, count);
  const ctimes = new BigInt64Array(block, base + 16 * count, count);
  const inodes = new BigUint64Array(block, base + 24 * count, count);
  const modes = new Uint16Array(block, base + 32 * count, count);
  const kinds = new Uint8Array(block, base + 34 * count, count);
  const columns = { sizes, mtimes, ctimes, inodes, modes };
  const lengths = new Uint8Array(block, base + 35 * count, count);
  const out = Buffer.from(block);
  if (count === directory.count) {
    sizes.set(directory.sizes);
    mtimes.set(directory.mtimes);
    ctimes.set(directory.ctimes);
    inodes.set(directory.inodes);
    modes.set(directory.modes);
    kinds.set(directory.kinds);
  } else {
    let to = 0;
    for (const i of live) {
      copyStat(directory, i, columns, to);
      kinds.set(directory.kinds.subarray(i, i + 1), to++);
    }
  }
  const pathAt = base + HOT_ENTRY_BYTES * count;
  const namesAt = pathAt + out.write(directory.path, pathAt, 'latin1');
  let at = namesAt;
  for (let to = 0; to < count; to++) {
    const name = directory.names[live[to] as number] as string;
    lengths[to] = name.length;
    // Names are short: a loop takes less time than a call of `write`.
    for (let c = 0; c < name.length; c++) out[at++] = name.charCodeAt(c);
  }
  out.writeUInt32LE(count, start);
  out.writeUInt32LE(directory.path.length, start + 4);
  out.writeUInt32LE(at - namesAt, start + 8);
  out.writeUInt32LE(0, start + 12);
  out.fill(0, at, start + pad8(at - start));
}

function writeCold(out: Buffer, directory: Directory, live: Uint32Array, wide: boolean): void {
  const columns = out.subarray(COLD_HEADER_BYTES);
  columns.fill(0);
  writeCids(columns, directory, live, wide);
  out.writeUInt32LE(live.length + (wide ? WIDE : 0), 0);
  out.writeUInt32LE(crc32(columns), 4);
}

function writeCids(out: Buffer, { cids, dagSizes, states }: Directory, live: Uint32Array, wide: boolean): void {
  if (cids === undefined || dagSizes === undefined) return;
  const cidsAt = live.length * (wide ? 8 : 4);
  const areAll = live.length === states.length;
  if (areAll) cids.copy(out, cidsAt);
  for (let to = 0; to < live.length; to++) {
    const i = live[to] as number;
    const at = cidsAt + to * CID_COLUMN_BYTES;
    if (states[i] === DROPPED) {
      // The entry vanished after `enter` had listed it. A codec of 0 says that it has no CID.
      out.fill(0, at, at + CID_COLUMN_BYTES);
      continue;
    }
    if (wide) out.writeDoubleLE(dagSizes[i] as number, to * 8);
    else out.writeUInt32LE(dagSizes[i] as number, to * 4);
    if (!areAll) cids.copy(out, at, i * CID_COLUMN_BYTES, (i + 1) * CID_COLUMN_BYTES);
  }
}
