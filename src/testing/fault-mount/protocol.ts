/** The kernel's FUSE protocol, as far as the fault mount speaks it (include/uapi/linux/fuse.h, version 7.31): little-endian records. */
import type { BigIntStats, StatsFs } from 'node:fs';
import type { ByteString } from '../../core/model.ts';

export const OPCODE = {
  lookup: 1,
  forget: 2,
  getattr: 3,
  setattr: 4,
  readlink: 5,
  symlink: 6,
  mknod: 8,
  mkdir: 9,
  unlink: 10,
  rmdir: 11,
  rename: 12,
  link: 13,
  open: 14,
  read: 15,
  write: 16,
  statfs: 17,
  release: 18,
  fsync: 20,
  flush: 25,
  init: 26,
  opendir: 27,
  readdir: 28,
  releasedir: 29,
  fsyncdir: 30,
  create: 35,
  interrupt: 36,
  batchForget: 42,
  rename2: 45,
  copyFileRange: 47,
} as const;

/** Bytes of one write request at most: 256 pages. */
export const MAX_WRITE = 1 << 20;
/** Of a read from /dev/fuse: the longest request with its header. */
export const REQUEST_BYTES = MAX_WRITE + 4096;
const IN_HEADER = 40;
const OUT_HEADER = 16;

export const OPEN_DIRECT_IO = 1;

/** Bits of `valid` in a setattr request. */
export const SET = { mode: 1, uid: 2, gid: 4, size: 8, atime: 16, mtime: 32, atimeNow: 128, mtimeNow: 256 } as const;

export interface Request {
  readonly opcode: number;
  readonly unique: bigint;
  readonly node: bigint;
  readonly uid: number;
  readonly gid: number;
  /** What follows the header. */
  readonly body: Buffer;
}

export function parseRequest(bytes: Buffer): Request {
  return {
    opcode: bytes.readUInt32LE(4),
    unique: bytes.readBigUInt64LE(8),
    node: bytes.readBigUInt64LE(16),
    uid: bytes.readUInt32LE(24),
    gid: bytes.readUInt32LE(28),
    body: bytes.subarray(IN_HEADER, bytes.readUInt32LE(0)),
  };
}

/** @param errno 0, or the positive number of what went wrong */
export function reply(unique: bigint, errno: number, body: Buffer = Buffer.alloc(0)): Buffer {
  const header = Buffer.alloc(OUT_HEADER);
  header.writeUInt32LE(OUT_HEADER + body.length, 0);
  header.writeInt32LE(-errno, 4);
  header.writeBigUInt64LE(unique, 8);
  return Buffer.concat([header, body]);
}

/** Strings ended by zero bytes, from this offset on. */
export function namesIn(body: Buffer, offset: number): ByteString[] {
  return body.subarray(offset).toString('latin1').split('\0').slice(0, -1);
}

/** The first of them. @throws Error when the kernel sent none */
export function nameIn(body: Buffer, offset: number): ByteString {
  const [name] = namesIn(body, offset);
  if (name === undefined) throw new Error('a request without a name');
  return name;
}

const ASYNC_READ = 1;
const ATOMIC_TRUNCATE = 1 << 3;
const BIG_WRITES = 1 << 5;
const MAX_PAGES = 1 << 22;

/** What this server can: small on purpose, so that nothing is cached behind a fault's back. */
export function initBody(request: Buffer): Buffer {
  const body = Buffer.alloc(64);
  body.writeUInt32LE(7, 0);
  body.writeUInt32LE(31, 4);
  body.writeUInt32LE(request.readUInt32LE(8), 8); // read ahead as the kernel likes
  body.writeUInt32LE(ASYNC_READ | ATOMIC_TRUNCATE | BIG_WRITES | MAX_PAGES, 12);
  body.writeUInt16LE(16, 16);
  body.writeUInt16LE(12, 18);
  body.writeUInt32LE(MAX_WRITE, 20);
  body.writeUInt32LE(1, 24); // times to the nanosecond
  body.writeUInt16LE(MAX_WRITE / 4096, 28);
  return body;
}

/** Never cached: each question is asked anew, and meets the faults of that moment. */
export function attributes(stat: BigIntStats, ino: bigint, size: bigint): Buffer {
  const body = Buffer.alloc(88);
  const second = 1_000_000_000n;
  for (const [i, number] of [ino, size, stat.blocks].entries()) body.writeBigUInt64LE(number, i * 8);
  for (const [i, ns] of [stat.atimeNs, stat.mtimeNs, stat.ctimeNs].entries()) {
    const rest = ((ns % second) + second) % second;
    body.writeBigInt64LE((ns - rest) / second, 24 + i * 8);
    body.writeUInt32LE(Number(rest), 48 + i * 4);
  }
  for (const [i, number] of [stat.mode, stat.nlink, stat.uid, stat.gid, stat.rdev, stat.blksize].entries()) {
    body.writeUInt32LE(Number(number), 60 + i * 4);
  }
  return body;
}

export function attributesBody(attr: Buffer): Buffer {
  return Buffer.concat([Buffer.alloc(16), attr]);
}

/** An entry that was looked up or made: its number for later requests, and its attributes. */
export function entryBody(node: bigint, attr: Buffer): Buffer {
  const head = Buffer.alloc(40);
  head.writeBigUInt64LE(node, 0);
  return Buffer.concat([head, attr]);
}

export function openBody(handle: number, flags: number): Buffer {
  const body = Buffer.alloc(16);
  body.writeBigUInt64LE(BigInt(handle), 0);
  body.writeUInt32LE(flags, 8);
  return body;
}

export function countBody(bytes: number): Buffer {
  const body = Buffer.alloc(8);
  body.writeUInt32LE(bytes, 0);
  return body;
}

export function statfsBody(of: StatsFs): Buffer {
  const body = Buffer.alloc(80);
  for (const [i, number] of [of.blocks, of.bfree, of.bavail, of.files, of.ffree].entries()) body.writeBigUInt64LE(BigInt(number), i * 8);
  body.writeUInt32LE(of.bsize, 40);
  body.writeUInt32LE(255, 44);
  body.writeUInt32LE(of.bsize, 48);
  return body;
}

export interface Listed {
  readonly name: ByteString;
  readonly ino: bigint;
  readonly mode: number;
}

/** As many entries of a directory as fit, from this one on. */
export function listingBody(entries: readonly Listed[], from: number, bytes: number): Buffer {
  const records: Buffer[] = [];
  let left = bytes;
  for (const [i, entry] of entries.slice(from).entries()) {
    const name = Buffer.from(entry.name, 'latin1');
    const record = Buffer.alloc((24 + name.length + 7) & ~7);
    left -= record.length;
    if (left < 0) break;
    record.writeBigUInt64LE(entry.ino, 0);
    record.writeBigUInt64LE(BigInt(from + i + 1), 8);
    record.writeUInt32LE(name.length, 16);
    record.writeUInt32LE((entry.mode & 0o170000) >> 12, 20);
    name.copy(record, 24);
    records.push(record);
  }
  return Buffer.concat(records);
}
