/**
 * The encoding of records in LMDB: `CRC32\nJSON`. LMDB has no checksums, and a flipped bit in a record might name another shard.
 * Records of format 1 are JSON alone, which has no line break.
 */
import { crc32 } from 'node:zlib';
import { damagedTables } from './check.ts';

interface Encoder {
  /** Makes lmdb pass `decode` memory of the record's own length; by default it is a larger buffer that is used again. */
  readonly needsStableBuffer: true;
  encode(value: unknown): Buffer;
  decode(bytes: Uint8Array): unknown;
}

/** The option `encoder` of a database, which lmdb's types leave out. @param path of the file, for the error @param dir of the index, for the error */
export function checkedJson(path: string, dir: string): { readonly encoder: Encoder } {
  const decode = (bytes: Uint8Array) => {
    const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString();
    const end = text.indexOf('\n');
    const json = text.slice(end + 1);
    const parsed = end >= 0 && text.slice(0, end) !== `${crc32(json)}` ? undefined : parse(json);
    if (parsed === undefined) throw damagedTables(path, dir, 'holds a record with a wrong checksum');
    return parsed;
  };
  return { encoder: { needsStableBuffer: true, encode, decode } };
}

function encode(value: unknown): Buffer {
  const json = JSON.stringify(value);
  return Buffer.from(`${crc32(json)}\n${json}`);
}

function parse(json: string): unknown {
  try {
    return JSON.parse(json);
  } catch {
    return undefined;
  }
}
