/**
 * The entries of one snapshot on disk: what `update` compares the source with.
 *
 * Two plain files rather than keys in LMDB, because both are written and read front to back, and an update that finds nothing to do must
 * read the first one only: names and stat data in walk order (`hot`). The other has CIDs and DAG sizes in the order in which directories
 * are finished (`cold`). Measured at 1M files: see docs/measurements.md.
 *
 *   hot   header, then blocks: u32 length, u32 crc32, payload. A payload is directory records, each padded to 8 bytes:
 *         u32 entries, u32 path bytes, u32 bytes of all names, u32 zero,
 *         f64 sizes[], i64 mtimes[], i64 ctimes[], u64 inodes[], u16 modes[], u8 kinds[], u8 name lengths[], path, names
 *   cold  header, then per directory: u32 entries, u32 crc32, u32 dagSizes[], cids[] of 33 bytes, padded to 8, or, with the
 *         highest bit of entries set because a size does not fit, f64 dagSizes[];
 *         then f64 offsets[] by walk order, then a footer: f64 where they begin, u32 how many, u32 crc32 of them
 *
 * All numbers are little-endian. Names are at most 255 bytes on every file system that Node runs on.
 */
import { endianness } from 'node:os';
import { ShardctlError } from '../../core/errors.ts';
import { CID_COLUMN_BYTES } from '../../walk/directory.ts';

const ENTRIES_VERSION = 2;
export const HEADER_BYTES = 32;
export const BLOCK_HEADER_BYTES = 8;
export const RECORD_HEADER_BYTES = 16;
/** sizes, mtimes, ctimes, inodes (8 each), modes (2), kinds (1), name lengths (1). */
export const HOT_ENTRY_BYTES = 36;
/** Before the columns of a cold record: count and checksum. */
export const COLD_HEADER_BYTES = 8;
export const FOOTER_BYTES = 16;
/** A hot block is closed when its payload has grown to this: about 2,000 entries. */
export const HOT_BLOCK_BYTES = 100_000;

/** Added to the count of a cold record whose DAG sizes have 8 bytes. */
export const WIDE = 2 ** 31;

const MAGIC = { hot: 'shrdhot\n', cold: 'shrdcld\n' } as const;

/** Stat data of the source's root, which is no directory's entry. */
export interface RootStat {
  /** Permission bits of the source's root. */
  readonly rootMode: number;
  /** Modification time of the source's root, nanoseconds modulo 2^64. */
  readonly rootMtime: bigint;
}

export interface EntriesHeader extends RootStat {
  /** A random number that both parts of one snapshot's entries carry, and no others. */
  readonly pair: bigint;
}

export function encodeHeader(part: keyof typeof MAGIC, header: EntriesHeader): Buffer {
  if (endianness() !== 'LE') throw new ShardctlError('BAD_CONFIG', 'the index needs a little-endian machine');
  const out = Buffer.alloc(HEADER_BYTES);
  out.write(MAGIC[part], 0, 'latin1');
  out.writeUInt32LE(ENTRIES_VERSION, 8);
  out.writeUInt32LE(header.rootMode, 12);
  out.writeBigInt64LE(BigInt.asIntN(64, header.rootMtime), 16);
  out.writeBigUInt64LE(header.pair, 24);
  return out;
}

export function decodeHeader(part: keyof typeof MAGIC, bytes: Buffer, path: string): EntriesHeader {
  if (bytes.length < HEADER_BYTES || bytes.toString('latin1', 0, 8) !== MAGIC[part]) throw damagedEntries(path, 'not an entries file');
  // The file is of another version, or a bit has flipped. Without it every file is read again, and nothing is lost but time.
  if (bytes.readUInt32LE(8) !== ENTRIES_VERSION) throw damagedEntries(path, 'it has another format');
  return { rootMode: bytes.readUInt32LE(12), rootMtime: bytes.readBigInt64LE(16), pair: bytes.readBigUInt64LE(24) };
}

/** Entries that are missing or damaged cost time and nothing else: every file is read again, with the same result. */
export class EntriesDamaged extends ShardctlError {
  constructor(path: string, what: string) {
    super('DAMAGE', `the index is damaged: ${what} (${path})`);
  }
}

export function damagedEntries(path: string, what: string): ShardctlError {
  return new EntriesDamaged(path, what);
}

export function pad8(bytes: number): number {
  return (bytes + 7) & ~7;
}

/** Size of a cold record. */
export function coldBytes(count: number, wide: boolean): number {
  return COLD_HEADER_BYTES + pad8(count * ((wide ? 8 : 4) + CID_COLUMN_BYTES));
}
