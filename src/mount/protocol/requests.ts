/**
 * What the kernel asks of a file system, as it comes from /dev/fuse (include/uapi/linux/fuse.h of Linux, version 7): a header of 40
 * bytes, and what belongs to the kind of request. Whoever gives us the descriptor is the kernel, and yet no length is believed.
 *
 * Numbers of nodes and of requests have 64 bits. Those of nodes are ours, and those of requests count up from 2 by 2, so that a double
 * holds them.
 */
import type { ByteString } from '../../core/model.ts';

export type Request = { readonly unique: number; readonly node: number } & Asked;

type Asked =
  | { readonly kind: 'init'; readonly major: number; readonly minor: number; readonly maxReadahead: number; readonly flags: number }
  | { readonly kind: 'lookup'; readonly name: ByteString }
  | { readonly kind: 'getattr' | 'readlink' | 'statfs' | 'open' | 'opendir' | 'destroy' }
  /** A file or a directory is closed. */
  | { readonly kind: 'release'; readonly handle: number }
  /** No reply is expected: how often each of these nodes was looked up and is not known to the kernel any more. */
  | { readonly kind: 'forget'; readonly forgotten: readonly Forgotten[] }
  | ({ readonly kind: 'read' } & Part)
  | ({ readonly kind: 'readdir' | 'readdirplus' } & Part)
  /** No reply is expected: somebody has stopped waiting for the answer to `request`. */
  | { readonly kind: 'interrupt'; readonly request: number }
  /** One that this file system does not know, or that it does without. */
  | { readonly kind: 'other' }
  /** One that is not what its header says. */
  | { readonly kind: 'malformed' };

/** Of a file or of a listing. */
interface Part {
  readonly handle: number;
  readonly offset: number;
  readonly size: number;
}

export interface Forgotten {
  readonly node: number;
  readonly lookups: number;
}

/** Of the header. */
export const REQUEST_HEADER_BYTES = 40;
/** What a read from the device must have room for: the most that a request has, without data to be written. Forgotten nodes fill it. */
export const REQUEST_BYTES = 64 * 1024;

const LOOKUP = 1;
const FORGET = 2;
const GETATTR = 3;
const READLINK = 5;
const OPEN = 14;
const READ = 15;
const STATFS = 17;
const RELEASE = 18;
const INIT = 26;
const OPENDIR = 27;
const READDIR = 28;
const RELEASEDIR = 29;
const INTERRUPT = 36;
const DESTROY = 38;
const BATCH_FORGET = 42;
const READDIRPLUS = 44;

/** Those that have no reply. */
const SILENT: ReadonlySet<number> = new Set([FORGET, INTERRUPT, DESTROY, BATCH_FORGET]);

/** struct fuse_forget_one. */
const FORGOTTEN_BYTES = 16;

/** @param bytes one request; nothing of it is kept @returns undefined when nobody is to be answered: not even the header is there, or it is one without a reply */
export function requestIn(bytes: Buffer): Request | undefined {
  if (bytes.length < REQUEST_HEADER_BYTES) return undefined;
  const unique = u64(bytes, 8);
  const node = u64(bytes, 16);
  const isCut = bytes.readUInt32LE(0) !== bytes.length;
  const opcode = bytes.readUInt32LE(4);
  const asked = isCut ? undefined : askedIn(opcode, node, bytes.subarray(REQUEST_HEADER_BYTES));
  if (asked !== undefined) return { unique, node, ...asked };
  return SILENT.has(opcode) ? undefined : { unique, node, kind: 'malformed' };
}

function askedIn(opcode: number, node: number, body: Buffer): Asked | undefined {
  switch (opcode) {
    case LOOKUP:
      return lookup(body);
    case GETATTR:
      return { kind: 'getattr' };
    case READLINK:
      return { kind: 'readlink' };
    case READ:
      return part('read', body);
    case READDIR:
      return part('readdir', body);
    case READDIRPLUS:
      return part('readdirplus', body);
    case FORGET:
      return body.length < 8 ? undefined : { kind: 'forget', forgotten: [{ node, lookups: u64(body, 0) }] };
    case BATCH_FORGET:
      return batchForget(body);
    case INTERRUPT:
      return body.length < 8 ? undefined : { kind: 'interrupt', request: u64(body, 0) };
    case STATFS:
      return { kind: 'statfs' };
    case OPEN:
      return { kind: 'open' };
    case OPENDIR:
      return { kind: 'opendir' };
    case RELEASE:
    case RELEASEDIR:
      return body.length < 8 ? undefined : { kind: 'release', handle: u64(body, 0) };
    case DESTROY:
      return { kind: 'destroy' };
    case INIT:
      return init(body);
    default:
      return { kind: 'other' };
  }
}

/** struct fuse_init_in, of which old kernels send the first 16 bytes. */
function init(body: Buffer): Asked | undefined {
  if (body.length < 16) return undefined;
  const [major, minor, maxReadahead, flags] = [0, 4, 8, 12].map((at) => body.readUInt32LE(at)) as [number, number, number, number];
  return { kind: 'init', major, minor, maxReadahead, flags };
}

/** A name with a zero byte behind it. */
function lookup(body: Buffer): Asked | undefined {
  const end = body.indexOf(0);
  return end <= 0 ? undefined : { kind: 'lookup', name: body.toString('latin1', 0, end) };
}

/** struct fuse_read_in: a handle, the offset, the size, and what does not matter here. */
function part<Kind extends 'read' | 'readdir' | 'readdirplus'>(kind: Kind, body: Buffer): ({ readonly kind: Kind } & Part) | undefined {
  return body.length < 20 ? undefined : { kind, handle: u64(body, 0), offset: u64(body, 8), size: body.readUInt32LE(16) };
}

function batchForget(body: Buffer): Asked | undefined {
  if (body.length < 8) return undefined;
  const count = body.readUInt32LE(0);
  if (8 + count * FORGOTTEN_BYTES > body.length) return undefined;
  const forgotten = Array.from({ length: count }, (_, at) => {
    const begin = 8 + at * FORGOTTEN_BYTES;
    return { node: u64(body, begin), lookups: u64(body, begin + 8) };
  });
  return { kind: 'forget', forgotten };
}

function u64(bytes: Buffer, at: number): number {
  return bytes.readUInt32LE(at) + bytes.readUInt32LE(at + 4) * 0x1_0000_0000;
}
