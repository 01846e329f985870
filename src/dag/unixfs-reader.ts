/** Reads the UnixFS message in a node's data, which may come from a stranger. */

import { damaged, PbReader } from './protobuf-reader.ts';
import {
  BLOCK_SIZES,
  DATA,
  FANOUT,
  FILE_SIZE,
  FRACTION,
  HASH_TYPE,
  MODE,
  MTIME,
  MURMUR3,
  NS_PER_SECOND,
  PERMISSION_BITS,
  SECONDS,
  TYPE,
} from './unixfs-writer.ts';

/** Names of the types by their numbers. Type 3, the metadata of a file that is elsewhere, was never in use. */
const TYPES = ['raw', 'directory', 'file', undefined, 'symlink', 'hamt'] as const;

/** `raw` is a leaf of old: a dag-pb node around bytes of a file. */
export type UnixFsType = Exclude<(typeof TYPES)[number], undefined>;

const MAX_FANOUT = 1024;

export interface UnixFs {
  readonly type: UnixFsType;
  /** Bytes of the file in this node, a symlink's target, or a HAMT node's bitfield: a view. */
  readonly data?: Uint8Array;
  /** Bytes of the file from here down; 0 for what is not a file. */
  readonly fileBytes: number;
  /** Bytes of the file below each link. */
  readonly blockSizes: readonly number[];
  /** Permission bits, 07777 at most. */
  readonly mode?: number;
  /** Nanoseconds since 1970; may be negative. */
  readonly mtimeNs?: bigint;
  /** Slots of a HAMT node. */
  readonly fanout?: number;
}

/** @throws ShardctlError `DAMAGE` */
export function decodeUnixFs(bytes: Uint8Array): UnixFs {
  const reader = new PbReader(bytes);
  const blockSizes: number[] = [];
  const found: { -readonly [Key in keyof UnixFs]?: UnixFs[Key] } = {};
  let hashType: number | undefined;
  while (reader.next()) {
    switch (reader.field) {
      case TYPE:
        found.type = typeOf(reader.number());
        break;
      case DATA:
        found.data = reader.bytes();
        break;
      case FILE_SIZE:
        found.fileBytes = reader.number();
        break;
      case BLOCK_SIZES:
        for (const size of reader.numbers()) blockSizes.push(size);
        break;
      case HASH_TYPE:
        hashType = reader.number();
        break;
      case FANOUT:
        found.fanout = reader.number();
        break;
      case MODE:
        found.mode = reader.number() & PERMISSION_BITS;
        break;
      case MTIME:
        found.mtimeNs = decodeTime(reader.bytes());
        break;
      default:
        // UnixFS may get new fields, as it got mode and mtime.
        reader.skip();
    }
  }
  const { type } = found;
  if (type === undefined) throw damaged('no type');
  if (type === 'hamt') checkHamt(hashType, found.fanout);
  return { fileBytes: type === 'hamt' ? 0 : sum(found.data?.length ?? 0, blockSizes), ...found, type, blockSizes };
}

/** The size of a file whose node does not say it: early writers leave the field out, and writers of protobuf 3 leave out a zero. */
function sum(own: number, below: readonly number[]): number {
  return below.reduce((bytes, size) => bytes + size, own);
}

function typeOf(number: number): UnixFsType {
  const type = TYPES[number];
  if (type === undefined) throw damaged(`an unknown type ${number}`);
  return type;
}

function decodeTime(bytes: Uint8Array): bigint {
  const reader = new PbReader(bytes);
  let seconds: bigint | undefined;
  let fraction = 0;
  while (reader.next()) {
    if (reader.field === SECONDS) seconds = reader.int64();
    else if (reader.field === FRACTION) fraction = reader.fixed32();
    else reader.skip();
  }
  if (seconds === undefined || fraction >= NS_PER_SECOND) throw damaged('an impossible mtime');
  return seconds * NS_PER_SECOND + BigInt(fraction);
}

function checkHamt(hashType: number | undefined, fanout: number | undefined): void {
  if (hashType !== MURMUR3) throw damaged(`an unknown HAMT hash ${hashType}`);
  const power = fanout !== undefined && fanout >= 8 && fanout <= MAX_FANOUT && Number.isInteger(Math.log2(fanout));
  if (!power) throw damaged(`an impossible HAMT fanout ${fanout}`);
}
