/**
 * A map from CIDs as text to numbers, for the CIDs of half a million shards: 48 to 96 bytes each, where a Map of strings takes 120 and more.
 * What another text than that of a shard's CID is (v1, dag-pb, sha2-256, base32) is kept as text.
 */
import { DigestMap } from '../core/digest-map.ts';
import { DAG_PB, DIGEST_BYTES } from '../core/model.ts';
import { CID_V1_BYTES, SHA2_256 } from './cid.ts';

/** `b` and the characters of five bits each that hold all bytes of the CID. */
const TEXT_LENGTH = 1 + Math.ceil((CID_V1_BYTES * 8) / 5);
const DIGEST_AT = CID_V1_BYTES - DIGEST_BYTES;
/** By the code of a character the five bits that it stands for; -1 where it stands for none. */
const BITS = new Int8Array(128).fill(-1);
for (const [bits, character] of [...'abcdefghijklmnopqrstuvwxyz234567'].entries()) BITS[character.charCodeAt(0)] = bits;

export class CidMap {
  readonly #digests = new DigestMap();
  readonly #others = new Map<string, number>();
  /** The CID that is being asked for, in bytes. */
  readonly #cid = Buffer.alloc(CID_V1_BYTES);

  get size(): number {
    return this.#digests.size + this.#others.size;
  }

  get(cid: string): number | undefined {
    return readShardCid(cid, this.#cid) ? this.#digests.get(this.#cid, DIGEST_AT) : this.#others.get(cid);
  }

  /** Adds a CID; false (and no change) when it is already here. */
  add(cid: string, value: number): boolean {
    if (readShardCid(cid, this.#cid)) return this.#digests.add(this.#cid, DIGEST_AT, value);
    if (this.#others.has(cid)) return false;
    this.#others.set(cid, value);
    return true;
  }

  /** Sets the value of a CID, and adds the CID if it is not here yet. */
  set(cid: string, value: number): void {
    if (readShardCid(cid, this.#cid)) this.#digests.set(this.#cid, DIGEST_AT, value);
    else this.#others.set(cid, value);
  }
}

/**
 * Writes the bytes of a shard's CID into `out`: 0.3 µs, where `parseCid` takes 7.6.
 * @returns false for any other text, also for one that says the same digest otherwise
 */
function readShardCid(cid: string, out: Uint8Array): boolean {
  if (cid.length !== TEXT_LENGTH || !cid.startsWith('b')) return false;
  let rest = 0;
  let restBits = 0;
  let at = 0;
  for (let i = 1; i < TEXT_LENGTH; i++) {
    const bits = BITS[cid.charCodeAt(i)];
    if (bits === undefined || bits < 0) return false;
    rest = ((rest << 5) | bits) & 0xfff;
    restBits += 5;
    if (restBits < 8) continue;
    restBits -= 8;
    out[at++] = rest >>> restBits;
  }
  const isPadded = (rest & ((1 << restBits) - 1)) === 0;
  return isPadded && out[0] === 1 && out[1] === DAG_PB && out[2] === SHA2_256 && out[3] === DIGEST_BYTES;
}
