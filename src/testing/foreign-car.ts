/** For tests: CARs as strangers write them, be it by mistake or by malice: every part is encoded as told, and nothing is checked. */
import { createHash } from 'node:crypto';
import { CID } from 'multiformats/cid';
import * as Digest from 'multiformats/hashes/digest';
import { DAG_PB, RAW } from '../core/model.ts';

export const SHA2_256 = 0x12;
export const SHA2_512 = 0x13;
export const IDENTITY = 0;
export const DAG_CBOR = 0x71;

/** Numbers of UnixFS's types. */
export const TYPE = { raw: 0, directory: 1, file: 2, metadata: 3, symlink: 4, hamt: 5 } as const;

export interface ForeignLink {
  readonly name?: string | Uint8Array;
  readonly cid: { readonly bytes: Uint8Array };
  readonly size?: number;
}

export interface ForeignUnixFs {
  readonly type: number;
  readonly data?: Uint8Array;
  readonly filesize?: number;
  readonly blocksizes?: readonly number[];
  /** As protobuf 3 writes repeated numbers. */
  readonly packed?: boolean;
  readonly fanout?: number;
  readonly mode?: number;
  readonly mtime?: { readonly seconds: bigint; readonly nanoseconds?: number };
}

export function varint(value: number | bigint): Buffer {
  const bytes: number[] = [];
  let rest = BigInt.asUintN(64, BigInt(value));
  for (; rest >= 0x80n; rest >>= 7n) bytes.push(Number(rest & 0x7fn) | 0x80);
  return Buffer.from([...bytes, Number(rest)]);
}

function field(number: number, bytes: Uint8Array): Buffer {
  return Buffer.concat([varint(number * 8 + 2), varint(bytes.length), bytes]);
}

function numberField(number: number, value: number | bigint): Buffer {
  return Buffer.concat([varint(number * 8), varint(value)]);
}

export function foreignNode(links: readonly ForeignLink[], data: Uint8Array | undefined, dataFirst = false): Buffer {
  const encoded = links.map(({ name = '', cid, size = 0 }) =>
    field(2, Buffer.concat([field(1, cid.bytes), field(2, Buffer.from(name)), numberField(3, size)])),
  );
  const own = data === undefined ? [] : [field(1, data)];
  return Buffer.concat(dataFirst ? [...own, ...encoded] : [...encoded, ...own]);
}

export function foreignUnixFs(it: ForeignUnixFs): Buffer {
  const { blocksizes = [], mtime } = it;
  const parts = [numberField(1, it.type)];
  if (it.data !== undefined) parts.push(field(2, it.data));
  if (it.filesize !== undefined) parts.push(numberField(3, it.filesize));
  if (it.packed === true) parts.push(field(4, Buffer.concat(blocksizes.map(varint))));
  else parts.push(...blocksizes.map((size) => numberField(4, size)));
  if (it.fanout !== undefined) parts.push(numberField(5, 0x22), numberField(6, it.fanout));
  if (it.mode !== undefined) parts.push(numberField(7, it.mode));
  if (mtime !== undefined) {
    const fraction = Buffer.alloc(5, (2 << 3) | 5);
    fraction.writeUInt32LE(mtime.nanoseconds ?? 0, 1);
    parts.push(field(8, Buffer.concat([numberField(1, mtime.seconds), ...(mtime.nanoseconds === undefined ? [] : [fraction])])));
  }
  return Buffer.concat(parts);
}

export interface ForeignBlock {
  readonly cid: CID;
  readonly bytes: Buffer;
}

/** Blocks as they are made, each once, children before parents. */
export class ForeignCar {
  readonly #blocks = new Map<string, ForeignBlock>();

  get blocks(): ForeignBlock[] {
    return [...this.#blocks.values()];
  }

  put(bytes: Buffer, codec: number = DAG_PB, hash = SHA2_256): CID {
    const cid = foreignCid(bytes, codec, hash);
    if (hash !== IDENTITY) this.#blocks.set(cid.toString(), { cid, bytes });
    return cid;
  }

  raw(bytes: string | Uint8Array, hash = SHA2_256): CID {
    return this.put(Buffer.from(bytes), RAW, hash);
  }

  directory(entries: Readonly<Record<string, CID>> | readonly ForeignLink[], more: Partial<ForeignUnixFs> = {}, hash = SHA2_256): CID {
    const links = Array.isArray(entries) ? entries : Object.entries(entries).map(([name, cid]) => ({ name, cid }));
    return this.put(foreignNode(links, foreignUnixFs({ type: TYPE.directory, ...more })), DAG_PB, hash);
  }

  /** @param leaves with the bytes that each is said to have */
  file(leaves: readonly (readonly [CID, number])[], more: Partial<ForeignUnixFs> = {}, hash = SHA2_256): CID {
    const blocksizes = leaves.map(([, size]) => size);
    const filesize = blocksizes.reduce((sum, size) => sum + size, 0);
    const links = leaves.map(([cid, size]) => ({ cid, size }));
    return this.put(foreignNode(links, foreignUnixFs({ type: TYPE.file, filesize, blocksizes, ...more })), DAG_PB, hash);
  }

  symlink(target: string | Uint8Array, more: Partial<ForeignUnixFs> = {}): CID {
    return this.put(foreignNode([], foreignUnixFs({ type: TYPE.symlink, data: Buffer.from(target), ...more })));
  }

  v1(...roots: readonly CID[]): Buffer {
    return Buffer.concat([carHeader(roots), ...this.blocks.map(carSection)]);
  }
}

export function foreignCid(bytes: Uint8Array, codec: number, hash: number): CID {
  const digest =
    hash === IDENTITY
      ? bytes
      : createHash(hash === SHA2_512 ? 'sha512' : 'sha256')
          .update(bytes)
          .digest();
  return CID.createV1(codec, Digest.create(hash, digest));
}

export function carSection({ cid, bytes }: ForeignBlock): Buffer {
  return Buffer.concat([varint(cid.bytes.length + bytes.length), cid.bytes, bytes]);
}

/** Of version 1. */
export function carHeader(roots: readonly CID[]): Buffer {
  const cbor = Buffer.concat([
    Buffer.from([0xa2, 0x65, ...Buffer.from('roots'), 0x80 + roots.length]),
    ...roots.map(({ bytes }) => Buffer.concat([Buffer.from([0xd8, 0x2a, ...byteStringHead(bytes.length + 1), 0]), bytes])),
    Buffer.from([0x67, ...Buffer.from('version'), 1]),
  ]);
  return Buffer.concat([varint(cbor.length), cbor]);
}

/** The shortest head of a CBOR byte string, as dag-cbor demands. */
function byteStringHead(length: number): number[] {
  return length < 24 ? [0x40 + length] : [0x58, length];
}

/** A CARv2 around one of version 1. @param padding zeros before it, and before the index @param index what stands after it */
export function carV2(v1: Buffer, { padding = 0, index = Buffer.alloc(0) } = {}): Buffer {
  const head = Buffer.alloc(40);
  const start = 11 + head.length + padding;
  head.writeBigUInt64LE(BigInt(start), 16);
  head.writeBigUInt64LE(BigInt(v1.length), 24);
  head.writeBigUInt64LE(BigInt(index.length > 0 ? start + v1.length + padding : 0), 32);
  const pragma = Buffer.from([0x0a, 0xa1, 0x67, ...Buffer.from('version'), 2]);
  const gap = Buffer.alloc(padding);
  return Buffer.concat([pragma, head, gap, v1, ...(index.length > 0 ? [gap, index] : [])]);
}
