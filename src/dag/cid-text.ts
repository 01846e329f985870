/** CIDs as strangers write them: any version, codec and hash, in any multibase. Beside `cid.ts` the only importer of `multiformats`; loaded by `serve` alone. */
import { base10 } from 'multiformats/bases/base10';
import { base16, base16upper } from 'multiformats/bases/base16';
import * as bases32 from 'multiformats/bases/base32';
import { base36, base36upper } from 'multiformats/bases/base36';
import { base58btc, base58flickr } from 'multiformats/bases/base58';
import { base64, base64pad, base64url, base64urlpad } from 'multiformats/bases/base64';
import { DIGEST_BYTES } from '../core/model.ts';
import { SHA2_256 } from './cid.ts';
import { type AnyCid, splitCid } from './foreign-cid.ts';

/** Text of a CID that is longer names no block that anybody has: an inline block of 128 bytes has 270 digits in base 16. */
const MOST_CHARS = 512;

const BASES = [
  base10,
  base16,
  base16upper,
  ...Object.values(bases32),
  base36,
  base36upper,
  base58btc,
  base58flickr,
  base64,
  base64pad,
  base64url,
  base64urlpad,
];
const BY_PREFIX = new Map(BASES.map((base) => [base.prefix as string, base]));

/** A CIDv0 is a multihash in base58 with no multibase prefix, and of 46 digits. */
const V0 = /^Qm[1-9A-HJ-NP-Za-km-z]{44}$/;
/** Multihashes in base58: of a key that is short enough to be its own hash, or a sha2-256. */
const PEER_ID = /^(?:1|Qm)[1-9A-HJ-NP-Za-km-z]{40,}$/;
const LIBP2P_KEY = 0x72;

/** The parts of the CID that `text` is; undefined when it is none. */
export function anyCidIn(text: string): AnyCid | undefined {
  const bytes = bytesOf(text);
  if (bytes === undefined) return undefined;
  const cid = splitCid(bytes);
  // A CIDv0 has no multibase: `z` before one would be another text for the same CID.
  return cid === undefined || cid.bytes.length !== bytes.length || (cid.version === 0) !== V0.test(text) ? undefined : cid;
}

function bytesOf(text: string): Uint8Array | undefined {
  if (text.length < 2 || text.length > MOST_CHARS) return undefined;
  try {
    return V0.test(text) ? base58btc.baseDecode(text) : BY_PREFIX.get(text.charAt(0))?.decode(text);
  } catch {
    return undefined;
  }
}

/** The peer ID of what has no key: a multihash of what tells it from others, as text. @param digest sha2-256 */
export function peerIdOf(digest: Uint8Array): string {
  return base58btc.baseEncode(Uint8Array.of(SHA2_256, DIGEST_BYTES, ...digest));
}

/** The usual text of a peer ID that may be written as a CID, too; undefined when it is none. */
export function peerIdIn(text: string): string | undefined {
  const cid = anyCidIn(text);
  if (cid !== undefined) return base58btc.baseEncode(cid.version === 0 ? cid.bytes : cid.bytes.subarray(multihashAt(cid)));
  return text.length <= MOST_CHARS && /^[1-9A-HJ-NP-Za-km-z]+$/.test(text) ? text : undefined;
}

/** The CID of a key, by its usual text and by that of a peer ID, `12D3Koo…` or `Qm…`; undefined when `text` is neither. */
export function keyCidIn(text: string): AnyCid | undefined {
  const cid = anyCidIn(text);
  if (cid !== undefined && cid.version !== 0) return cid.codec === LIBP2P_KEY ? cid : undefined;
  if (text.length > MOST_CHARS || !PEER_ID.test(text)) return undefined;
  const bytes = Buffer.from([1, LIBP2P_KEY, ...base58btc.baseDecode(text)]);
  const key = splitCid(bytes);
  return key?.bytes.length === bytes.length ? key : undefined;
}

/** Name of a key as gateways take it: its CID in base 36. */
export function keyNameOf({ bytes }: AnyCid): string {
  return base36.encode(bytes);
}

/** Offset of the multihash in a CIDv1: behind the version and the codec. */
function multihashAt({ codec }: AnyCid): number {
  let bytes = 2;
  for (let rest = codec; rest >= 0x80; rest /= 0x80) bytes++;
  return bytes;
}
