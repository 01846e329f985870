/** What is answered to the kernel, as bytes (include/uapi/linux/fuse.h of Linux, version 7.31). */
import type { ByteString, EntryKind } from '../../core/model.ts';

/** As much as `stat` tells of an entry. */
export interface Attributes {
  readonly kind: EntryKind;
  /** Of the inode, in two halves of 32 bits: who looks at a tree tells files by it. */
  readonly inoLow: number;
  readonly inoHigh: number;
  readonly size: number;
  /** Permission bits. */
  readonly mode: number;
  /** Nanoseconds since 1970; may be negative. */
  readonly mtimeNs: bigint;
}

/** Who owns everything. */
export interface FileOwner {
  readonly uid: number;
  readonly gid: number;
}

export const REPLY_HEADER_BYTES = 16;
export const ATTRIBUTES_BYTES = 88;
export const ENTRY_BYTES = 40 + ATTRIBUTES_BYTES;
const DIRENT_BYTES = 24;

/** S_IFMT, and DT_ of a directory's entries. */
const FILE_TYPE: Readonly<Record<EntryKind, number>> = { 1: 0o100000, 2: 0o040000, 3: 0o120000 };
const NS_PER_SECOND = 1_000_000_000n;
/** A block of `du`. */
const SECTOR_BYTES = 512;
export const BLOCK_BYTES = 4096;

/** The header of a reply. @param error an errno, 0 when it went well @param length of the whole reply */
export function putHeader(into: Buffer, unique: number, error: number, length: number): void {
  into.writeUInt32LE(length, 0);
  into.writeInt32LE(-error, 4);
  putU64(into, 8, unique);
}

/** struct fuse_attr. */
export function putAttributes(into: Buffer, at: number, attributes: Attributes, { uid, gid }: FileOwner): void {
  const { kind, inoLow, inoHigh, size, mode, mtimeNs } = attributes;
  const ns = Number(((mtimeNs % NS_PER_SECOND) + NS_PER_SECOND) % NS_PER_SECOND);
  const seconds = BigInt.asIntN(64, (mtimeNs - BigInt(ns)) / NS_PER_SECOND);
  into.writeUInt32LE(inoLow, at);
  into.writeUInt32LE(inoHigh, at + 4);
  putU64(into, at + 8, size);
  putU64(into, at + 16, Math.ceil(size / SECTOR_BYTES));
  // Times of access, of change, and of change of the inode: there is only one.
  for (const offset of [24, 32, 40]) into.writeBigInt64LE(seconds, at + offset);
  for (const offset of [48, 52, 56]) into.writeUInt32LE(ns, at + offset);
  into.writeUInt32LE((FILE_TYPE[kind] | mode) >>> 0, at + 60);
  // Of a directory, 1 says that nobody has counted its directories: `find` then looks at each entry.
  into.writeUInt32LE(1, at + 64);
  into.writeUInt32LE(uid, at + 68);
  into.writeUInt32LE(gid, at + 72);
  into.writeUInt32LE(0, at + 76);
  into.writeUInt32LE(BLOCK_BYTES, at + 80);
  into.writeUInt32LE(0, at + 84);
}

/** struct fuse_entry_out: a node, and its attributes. @param seconds how long the kernel may go by it */
export function putEntry(into: Buffer, at: number, node: number, seconds: number, attributes: Attributes, owner: FileOwner): void {
  putU64(into, at, node);
  putU64(into, at + 8, 0);
  putU64(into, at + 16, seconds);
  putU64(into, at + 24, seconds);
  putU64(into, at + 32, 0);
  putAttributes(into, at + 40, attributes, owner);
}

/** struct fuse_entry_out of a name that nobody has. */
export function putNoEntry(into: Buffer, at: number, seconds: number): void {
  into.fill(0, at, at + ENTRY_BYTES);
  putU64(into, at + 16, seconds);
}

/** Bytes of one entry in a listing. @param nameBytes of its name @param plus with a node and attributes */
export function direntBytes(nameBytes: number, plus: boolean): number {
  return (plus ? ENTRY_BYTES : 0) + ((DIRENT_BYTES + nameBytes + 7) & ~7);
}

export interface Dirent {
  readonly inoLow: number;
  readonly inoHigh: number;
  /** Where the listing goes on after this entry. */
  readonly next: number;
  /** Undefined where nobody has looked yet. */
  readonly kind: EntryKind | undefined;
  readonly name: ByteString;
}

/** struct fuse_dirent. @returns where the next one begins */
export function putDirent(into: Buffer, at: number, { inoLow, inoHigh, next, kind, name }: Dirent): number {
  const end = at + direntBytes(name.length, false);
  into.writeUInt32LE(inoLow, at);
  into.writeUInt32LE(inoHigh, at + 4);
  putU64(into, at + 8, next);
  into.writeUInt32LE(name.length, at + 16);
  into.writeUInt32LE(kind === undefined ? 0 : FILE_TYPE[kind] >>> 12, at + 20);
  into.write(name, at + DIRENT_BYTES, 'latin1');
  into.fill(0, at + DIRENT_BYTES + name.length, end);
  return end;
}

const ASYNC_READ = 1 << 0;
const DO_READDIRPLUS = 1 << 13;
const NO_OPEN_SUPPORT = 1 << 17;
const PARALLEL_DIROPS = 1 << 18;
const MAX_PAGES = 1 << 22;
const CACHE_SYMLINKS = 1 << 23;
const NO_OPENDIR_SUPPORT = 1 << 24;
const EXPLICIT_INVAL_DATA = 1 << 25;
/**
 * Without READDIRPLUS_AUTO, by which the kernel asks for names alone unless somebody wants more: who wants more then looks up one name
 * after the other, which took 160 µs each where a listing takes 30, and without attributes nobody knows what is a directory.
 */
const WANTED =
  ASYNC_READ | DO_READDIRPLUS | NO_OPEN_SUPPORT | PARALLEL_DIROPS | MAX_PAGES | CACHE_SYMLINKS | NO_OPENDIR_SUPPORT | EXPLICIT_INVAL_DATA;

const MAJOR = 7;
const MINOR = 31;
/** Since Linux 3.15. Older ones expect a shorter answer. */
export const LEAST_MINOR = 23;
export const INIT_BYTES = 64;
/** Requests that are read ahead at once, and from how many on the kernel holds back. */
const MOST_AHEAD = 64;
/** The least that the kernel takes: nothing is written. */
const MAX_WRITE_BYTES = 4096;
/** Of a READ: a megabyte. */
const MOST_PAGES = 256;

/** What is agreed with the kernel. */
export interface Agreement {
  /** Whether the kernel does without OPEN and OPENDIR when it is told that there are none. */
  readonly opensAlone: boolean;
  readonly opensDirectoriesAlone: boolean;
}

/** struct fuse_init_out. @param offered flags of the kernel */
export function putInit(into: Buffer, at: number, offered: number, maxReadahead: number): Agreement {
  const flags = offered & WANTED;
  into.fill(0, at, at + INIT_BYTES);
  into.writeUInt32LE(MAJOR, at);
  into.writeUInt32LE(MINOR, at + 4);
  into.writeUInt32LE(maxReadahead, at + 8);
  into.writeUInt32LE(flags >>> 0, at + 12);
  into.writeUInt16LE(MOST_AHEAD, at + 16);
  into.writeUInt16LE((MOST_AHEAD * 3) / 4, at + 18);
  into.writeUInt32LE(MAX_WRITE_BYTES, at + 20);
  // Times are told to the nanosecond.
  into.writeUInt32LE(1, at + 24);
  into.writeUInt16LE((flags & MAX_PAGES) === 0 ? 0 : MOST_PAGES, at + 28);
  return { opensAlone: (flags & NO_OPEN_SUPPORT) !== 0, opensDirectoriesAlone: (flags & NO_OPENDIR_SUPPORT) !== 0 };
}

export const OPEN_BYTES = 16;
const KEEP_CACHE = 1 << 1;
const CACHE_DIR = 1 << 3;

/** struct fuse_open_out. @param handle by which the kernel names what was opened */
export function putOpen(into: Buffer, at: number, handle: number): void {
  into.fill(0, at, at + OPEN_BYTES);
  putU64(into, at, handle);
  into.writeUInt32LE(KEEP_CACHE | CACHE_DIR, at + 8);
}

export const STATFS_BYTES = 80;
const MOST_NAME_BYTES = 255;

/** struct fuse_statfs_out: a full file system. */
export function putStatfs(into: Buffer, at: number, bytes: number, entries: number): void {
  into.fill(0, at, at + STATFS_BYTES);
  putU64(into, at, Math.ceil(bytes / BLOCK_BYTES));
  putU64(into, at + 24, entries);
  into.writeUInt32LE(BLOCK_BYTES, at + 40);
  into.writeUInt32LE(MOST_NAME_BYTES, at + 44);
  into.writeUInt32LE(BLOCK_BYTES, at + 48);
}

const NOTIFY_INVAL_INODE = 2;
const NOTIFY_INVAL_ENTRY = 3;

/** Tells the kernel to look at a node's attributes and content again. */
export function staleNode(node: number): Buffer {
  const bytes = notification(NOTIFY_INVAL_INODE, 24);
  // From byte 0 on, all of them.
  putU64(bytes, REPLY_HEADER_BYTES, node);
  return bytes;
}

/** Tells the kernel to look a name up again. */
export function staleName(directory: number, name: ByteString): Buffer {
  const bytes = notification(NOTIFY_INVAL_ENTRY, 16 + name.length + 1);
  putU64(bytes, REPLY_HEADER_BYTES, directory);
  bytes.writeUInt32LE(name.length, REPLY_HEADER_BYTES + 8);
  bytes.write(name, REPLY_HEADER_BYTES + 16, 'latin1');
  return bytes;
}

/** A header with the number 0 of a request, and a code where a reply has its error. */
function notification(code: number, bodyBytes: number): Buffer {
  const bytes = Buffer.alloc(REPLY_HEADER_BYTES + bodyBytes);
  bytes.writeUInt32LE(bytes.length, 0);
  bytes.writeInt32LE(code, 4);
  return bytes;
}

/** The low bits hold a number up to 2^53; what a stranger says is larger does not arrive here. */
function putU64(into: Buffer, at: number, value: number): void {
  const high = Math.floor(value / 0x1_0000_0000);
  into.writeUInt32LE(value - high * 0x1_0000_0000, at);
  into.writeUInt32LE(high, at + 4);
}
