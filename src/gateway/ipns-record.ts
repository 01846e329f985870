/**
 * IPNS records (https://specs.ipfs.tech/ipns/ipns-record/): what a name that is a key points to, in words signed by that key. So whoever
 * gives the record cannot make up what it says; he can only give an older one that is still valid.
 */
import { createPublicKey, type KeyObject, verify } from 'node:crypto';
import { ShardctlError } from '../core/errors.ts';
import { hashesTo, SHA2_256 } from '../dag/cid.ts';
import { keyCidIn } from '../dag/cid-text.ts';
import type { AnyCid } from '../dag/foreign-cid.ts';
import { PbReader } from '../dag/protobuf-reader.ts';

/** The specification allows no longer ones. */
export const MAX_RECORD_BYTES = 10 * 1024;
const IDENTITY = 0x00;
const RSA = 0;
const ED25519 = 1;
/** DER of an Ed25519 public key, before its 32 bytes. */
const ED25519_HEAD = Buffer.from('302a300506032b6570032100', 'hex');
const SIGNED_PREFIX = Buffer.from('ipns-signature:');

export interface IpnsRecord {
  /** A path, `/ipfs/…` or `/ipns/…`. */
  readonly value: string;
  readonly sequence: bigint;
  /** Until when it may be believed, milliseconds since 1970. */
  readonly validUntil: number;
}

/** @param name of the key, as in `/ipns/NAME` @throws ShardctlError `DAMAGE` when the record is not one that this key has signed, or is too old */
export function openIpnsRecord(name: string, bytes: Buffer, now: number): IpnsRecord {
  const fields = bytesIn(bytes, [7, 8, 9]);
  const [signature, data] = [fields.get(8), fields.get(9)];
  const hash = keyCidIn(name);
  if (signature === undefined || data === undefined || hash === undefined) throw bad(name, 'is not one of version 2');
  const key = publicKeyOf(hash, fields.get(7));
  if (key === undefined) throw bad(name, 'has no key of the name, or one of a kind that is not known here');
  const algorithm = key.asymmetricKeyType === 'ed25519' ? null : 'sha256';
  if (!verify(algorithm, Buffer.concat([SIGNED_PREFIX, data]), key, signature)) throw bad(name, 'has another signature');
  const map = cborMap(data);
  const [value, validity, sequence] = [map.get('Value'), map.get('Validity'), map.get('Sequence')];
  if (!Buffer.isBuffer(value) || !Buffer.isBuffer(validity) || typeof sequence !== 'bigint' || map.get('ValidityType') !== 0n)
    throw bad(name, 'lacks a field');
  const validUntil = Date.parse(validity.toString('latin1').replace(/(\.\d{3})\d+/, '$1'));
  if (!(validUntil > now)) throw bad(name, `was valid until ${validity.toString('latin1').replace(/[^\x20-\x7e]/g, '')} only`);
  return { value: value.toString('utf8'), sequence, validUntil };
}

function bad(name: string, why: string): ShardctlError {
  return new ShardctlError('DAMAGE', `the IPNS record of ${name} ${why}`);
}

/** The key lies in the name when it is short, else in the record; then the name is its hash. */
function publicKeyOf({ hash, digest }: AnyCid, inRecord: Buffer | undefined): KeyObject | undefined {
  const message = hash === IDENTITY ? Buffer.from(digest) : inRecord;
  if (message === undefined) return undefined;
  if (hash !== IDENTITY && (hash !== SHA2_256 || !hashesTo(message, digest))) return undefined;
  const data = bytesIn(message, [2]).get(2);
  const kind = kindOfKey(message);
  if (data === undefined) return undefined;
  try {
    if (kind === ED25519) return createPublicKey({ key: Buffer.concat([ED25519_HEAD, data]), format: 'der', type: 'spki' });
    return kind === RSA ? createPublicKey({ key: data, format: 'der', type: 'spki' }) : undefined;
  } catch {
    return undefined;
  }
}

/** Those fields of a protobuf message that hold bytes and have one of these numbers. @throws ShardctlError `DAMAGE` */
function bytesIn(message: Uint8Array, wanted: readonly number[]): Map<number, Buffer> {
  const found = new Map<number, Buffer>();
  const reader = new PbReader(message);
  while (reader.next()) {
    if (wanted.includes(reader.field)) found.set(reader.field, Buffer.from(reader.bytes()));
    else reader.skip();
  }
  return found;
}

function kindOfKey(message: Uint8Array): number {
  const reader = new PbReader(message);
  while (reader.next()) {
    if (reader.field === 1) return reader.number();
    reader.skip();
  }
  return RSA;
}

/** A map of dag-cbor from texts to numbers and bytes, which is all that a record holds. @throws ShardctlError `DAMAGE` when it is anything else */
function cborMap(data: Buffer): Map<string, bigint | Buffer> {
  let at = 0;
  const no = () => new ShardctlError('DAMAGE', 'the data of an IPNS record are no map of numbers and bytes');
  const head = (): { readonly major: number; readonly argument: bigint } => {
    const first = data[at++];
    if (first === undefined) throw no();
    const [major, info] = [first >> 5, first & 0x1f];
    if (info < 24) return { major, argument: BigInt(info) };
    const bytes = { 24: 1, 25: 2, 26: 4, 27: 8 }[info];
    if (bytes === undefined || at + bytes > data.length) throw no();
    const argument = BigInt(`0x${data.toString('hex', at, at + bytes)}`);
    at += bytes;
    return { major, argument };
  };
  const take = (length: bigint): Buffer => {
    if (length > BigInt(data.length - at)) throw no();
    const bytes = data.subarray(at, at + Number(length));
    at += bytes.length;
    return bytes;
  };
  const { major, argument: entries } = head();
  if (major !== 5 || entries > 100n) throw no();
  const map = new Map<string, bigint | Buffer>();
  for (let i = 0n; i < entries; i++) {
    const key = head();
    if (key.major !== 3) throw no();
    const name = take(key.argument).toString('utf8');
    const value = head();
    if (value.major === 0) map.set(name, value.argument);
    else if (value.major === 2) map.set(name, take(value.argument));
    else throw no();
  }
  return map;
}
