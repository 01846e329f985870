/**
 * CIDs of any codec and hash, as other tools write them: taken apart, and named in messages. Not by `CID.decode` of multiformats,
 * because a walk meets a CID in every link, and an object for each took 0.7 µs.
 */
import type { CID } from 'multiformats/cid';
import { type BlockId, type Codec, DAG_PB, DIGEST_BYTES, RAW } from '../core/model.ts';
import { CID_V0_BYTES, type CidVersion, SHA2_256, sha256 } from './cid.ts';

const IDENTITY = 0x00;

/** Kubo and boxo take no identity CID that carries more. */
const MAX_INLINE_BYTES = 128;

/** The varints of a CID are codes of the multicodec table; none has more bytes. */
const MAX_VARINT_BYTES = 9;

/** Codes that CARs and directories in the field have, for messages. */
const CODECS: Readonly<Record<number, string>> = {
  [RAW]: 'raw',
  [DAG_PB]: 'dag-pb',
  81: 'cbor',
  113: 'dag-cbor',
  114: 'libp2p-key',
  120: 'git-raw',
  133: 'dag-jose',
  297: 'dag-json',
  512: 'json',
};
const HASHES: Readonly<Record<number, string>> = {
  [IDENTITY]: 'identity',
  17: 'sha1',
  [SHA2_256]: 'sha2-256',
  19: 'sha2-512',
  22: 'sha3-256',
  27: 'keccak-256',
  30: 'blake3',
  45600: 'blake2b-256',
};

/** The parts of a binary CID. The digest is a view. */
export interface AnyCid {
  readonly version: CidVersion;
  readonly codec: number;
  readonly hash: number;
  readonly digest: Uint8Array;
  /** The whole CID: a view. */
  readonly bytes: Uint8Array;
}

/** The parts of a CID that a library read. */
export function anyCidOf({ version, code, multihash, bytes }: CID): AnyCid {
  return { version, codec: code, hash: multihash.code, digest: multihash.digest, bytes };
}

/** The CID at the start of `bytes`, or undefined when there is none. */
export function splitCid(bytes: Uint8Array): AnyCid | undefined {
  if (bytes[0] === SHA2_256 && bytes[1] === DIGEST_BYTES) {
    const whole = bytes.subarray(0, CID_V0_BYTES);
    if (whole.length < CID_V0_BYTES) return undefined;
    return { version: 0, codec: DAG_PB, hash: SHA2_256, digest: whole.subarray(2), bytes: whole };
  }
  let at = 0;
  const varint = (): number => {
    let value = 0;
    for (let scale = 1, i = 0; i < MAX_VARINT_BYTES; scale *= 0x80, i++) {
      const byte = bytes[at++];
      if (byte === undefined) break;
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) return value;
    }
    return Number.NaN;
  };
  const [version, codec, hash, length] = [varint(), varint(), varint(), varint()];
  // Each comparison with NaN is false.
  if (version !== 1 || !(codec >= 0 && hash >= 0 && length <= bytes.length - at)) return undefined;
  return { version, codec, hash, digest: bytes.subarray(at, at + length), bytes: bytes.subarray(0, at + length) };
}

/** A block that a tree may link to. An inline block is carried by its own CID, so its bytes are known without reading it. */
export interface FoundBlock extends BlockId {
  /** The bytes that an identity CID carries: a view. The block is stored and found under their sha2-256, like every other block. */
  readonly inline?: Uint8Array;
}

/** The block that a CID names; undefined when no tree may have it here: it must be raw or dag-pb, under sha2-256 or inline. */
export function blockOf({ codec, hash, digest }: AnyCid): FoundBlock | undefined {
  if (codec !== RAW && codec !== DAG_PB) return undefined;
  if (hash === SHA2_256 && digest.length === DIGEST_BYTES) return { codec, digest };
  if (hash !== IDENTITY || digest.length > MAX_INLINE_BYTES) return undefined;
  return { codec: codec satisfies Codec, digest: sha256(digest), inline: digest };
}

/** The bytes of a block that the CID itself carries: a view; undefined when it carries none, or more than IPFS allows. */
export function inlineBytes({ hash, digest }: AnyCid): Uint8Array | undefined {
  return hash === IDENTITY && digest.length <= MAX_INLINE_BYTES ? digest : undefined;
}

/** Says why `blockOf` gives no block: the codec and the hash, as IPFS calls them. */
export function kindOf({ codec, hash, digest }: AnyCid): string {
  if (hash === IDENTITY && digest.length > MAX_INLINE_BYTES)
    return `inline, with ${digest.length} bytes where IPFS allows ${MAX_INLINE_BYTES}`;
  const name = (names: Readonly<Record<number, string>>, code: number) => names[code] ?? `0x${code.toString(16)}`;
  return `${name(CODECS, codec)} under ${name(HASHES, hash)}`;
}
