/**
 * A reader of blocks, CARs and snapshots that knows docs/format.md and nothing else: it imports no code of the program, so that what the
 * page leaves out makes a test fail.
 */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';

/** Gives a block by the hex of its digest. */
export type LoadBlock = (digest: string) => Buffer;

export interface Link {
  readonly codec: number;
  /** In hex. */
  readonly digest: string;
  readonly name: Buffer;
  readonly size: number;
}

export interface Node {
  readonly links: readonly Link[];
  readonly type: number;
  readonly data: Buffer;
  readonly blockSizes: readonly number[];
  readonly mode: number | undefined;
  readonly mtimeNs: bigint | undefined;
}

export interface Section {
  readonly codec: number;
  readonly digest: string;
  readonly data: Buffer;
}

const [RAW, DAG_PB] = [0x55, 0x70];
const CID_BYTES = 36;
const FILE = 2;
const BASE32 = 'abcdefghijklmnopqrstuvwxyz234567';

export function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

/** The CIDv1 of a block: "b", then base32. */
export function cidText(codec: number, digest: string): string {
  return `b${base32([1, codec, 0x12, 0x20, ...Buffer.from(digest, 'hex')])}`;
}

/** The multihash of a block as blockstore-fs names files. */
export function multihashName(digest: string): string {
  return `B${base32([0x12, 0x20, ...Buffer.from(digest, 'hex')]).toUpperCase()}`;
}

/** Without padding. */
function base32(bytes: readonly number[]): string {
  const bits = bytes.map((byte) => byte.toString(2).padStart(8, '0')).join('');
  return (bits.match(/.{1,5}/g) ?? []).map((five) => BASE32.charAt(Number.parseInt(five.padEnd(5, '0'), 2))).join('');
}

export function digestOf(cid: string): string {
  const bits = [...cid.slice(1)].map((char) => BASE32.indexOf(char).toString(2).padStart(5, '0')).join('');
  const bytes = Buffer.from((bits.match(/.{8}/g) ?? []).map((eight) => Number.parseInt(eight, 2)));
  return bytes.subarray(4).toString('hex');
}

export function varint(bytes: Buffer, at: number): { readonly value: number; readonly next: number } {
  let value = 0;
  for (let scale = 1, next = at; ; scale *= 128) {
    const byte = bytes.readUInt8(next++);
    value += (byte & 0x7f) * scale;
    if (byte < 0x80) return { value, next };
  }
}

interface Field {
  readonly number: number;
  readonly value: number;
  readonly bytes: Buffer;
}

/** The fields of a protobuf message. */
function* fields(message: Buffer): Generator<Field> {
  for (let at = 0; at < message.length; ) {
    const tag = varint(message, at);
    const number = tag.value >> 3;
    const type = tag.value & 7;
    at = tag.next;
    if (type === 5) {
      yield { number, value: message.readUInt32LE(at), bytes: Buffer.alloc(0) };
      at += 4;
      continue;
    }
    const { value, next } = varint(message, at);
    at = type === 2 ? next + value : next;
    yield { number, value, bytes: type === 2 ? message.subarray(next, at) : Buffer.alloc(0) };
  }
}

function link(message: Buffer): Link {
  let [codec, digest, name, size] = [DAG_PB, '', Buffer.alloc(0), 0];
  for (const { number, value, bytes } of fields(message)) {
    if (number === 2) name = Buffer.from(bytes);
    else if (number === 3) size = value;
    else if (bytes.length === CID_BYTES) [codec, digest] = [bytes.readUInt8(1), bytes.subarray(4).toString('hex')];
    else digest = bytes.subarray(2).toString('hex');
  }
  return { codec, digest, name, size };
}

export function node(block: Buffer): Node {
  const links: Link[] = [];
  const blockSizes: number[] = [];
  let [type, data, mode, mtimeNs] = [-1, Buffer.alloc(0), undefined as number | undefined, undefined as bigint | undefined];
  for (const part of fields(block)) {
    if (part.number === 2) links.push(link(part.bytes));
    else if (part.number === 1)
      for (const { number, value, bytes } of fields(part.bytes)) {
        if (number === 1) type = value;
        else if (number === 2) data = Buffer.from(bytes);
        else if (number === 4) blockSizes.push(value);
        else if (number === 7) mode = value;
        else if (number === 8) mtimeNs = time(bytes);
      }
  }
  return { links, type, data, blockSizes, mode, mtimeNs };
}

/** Of times after 1970. */
function time(message: Buffer): bigint {
  let ns = 0n;
  for (const { number, value } of fields(message)) ns += number === 1 ? BigInt(value) * 1_000_000_000n : BigInt(value);
  return ns;
}

/** The root of a CAR, and its sections; each is checked against its hash. */
export function readCar(car: Buffer): { readonly root: string; readonly sections: readonly Section[] } {
  assert.equal(car.subarray(0, 17).toString('hex'), '3aa265726f6f747381d82a582500017012');
  const root = car.subarray(18, 50).toString('hex');
  assert.equal(car.subarray(50, 59).toString('hex'), '6776657273696f6e01');
  const sections: Section[] = [];
  for (let at = 59; at < car.length; ) {
    const { value, next } = varint(car, at);
    assert.equal(car.readUInt8(next), 1);
    const codec = car.readUInt8(next + 1);
    assert.ok(codec === RAW || codec === DAG_PB);
    const digest = car.subarray(next + 4, next + CID_BYTES).toString('hex');
    const data = car.subarray(next + CID_BYTES, next + value);
    assert.equal(sha256(data), digest);
    sections.push({ codec, digest, data });
    at = next + value;
  }
  return { root, sections };
}

/** The digests and lengths of a shard's blocks, in order, by its manifest alone. */
export function manifest(root: string, load: LoadBlock): [digest: string, bytes: number][] {
  const { type, links, blockSizes } = node(load(root));
  assert.equal(type, FILE);
  return links.flatMap(({ codec, digest }, at): [string, number][] =>
    codec === RAW ? [[digest, blockSizes[at] ?? -1]] : manifest(digest, load),
  );
}

const [DIRECTORY, SYMLINK, HAMT] = [1, 4, 5];

/** The entries of a directory, plain or HAMT. */
export function entriesOf(directory: Node, load: LoadBlock): Link[] {
  if (directory.type === DIRECTORY) return [...directory.links];
  assert.equal(directory.type, HAMT);
  return directory.links.flatMap((one) => {
    const name = one.name.subarray(2);
    return name.length > 0 ? [{ ...one, name }] : entriesOf(node(load(one.digest)), load);
  });
}

/** What a tree holds: a line an entry, with the digest of a file's bytes. */
export function* treeLines(root: Link, load: LoadBlock, path = ''): Generator<string> {
  const block = load(root.digest);
  if (root.codec === RAW) return yield `f ${path} ${sha256(block)}`;
  const top = node(block);
  const stat = `${top.mode?.toString(8) ?? '-'} ${top.mtimeNs ?? '-'}`;
  if (top.type === SYMLINK) yield `l ${path} ${top.data.toString('latin1')} ${top.mtimeNs ?? '-'}`;
  else if (top.type === FILE) yield `f ${path} ${sha256(fileBytes(root, load))} ${stat}`;
  else {
    yield `d ${path} ${stat}`;
    for (const entry of entriesOf(top, load)) {
      const name = entry.name.toString('latin1');
      yield* treeLines(entry, load, path === '' ? name : `${path}/${name}`);
    }
  }
}

function fileBytes({ codec, digest }: Link, load: LoadBlock): Buffer {
  const block = load(digest);
  if (codec === RAW) return block;
  const { data, links } = node(block);
  return Buffer.concat([data, ...links.map((one) => fileBytes(one, load))]);
}
