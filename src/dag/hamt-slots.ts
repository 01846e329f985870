/** Where a name stands in a HAMT directory: its hash, cut into one slot number a level. */
import type { ByteString } from '../core/model.ts';
import { hashName } from './murmur.ts';

/** Bits of a name's hash; each level of the trie takes as many as its slots need. */
export const HASH_BITS = 64;

/** The slots of one name after another: `take` a name, then ask for them. */
export class HamtSlots {
  readonly #bits: number;
  readonly #mask: number;
  readonly #digits: number;
  readonly #high = new Uint32Array(1);
  readonly #low = new Uint32Array(1);

  /** @param fanout slots of a node: a power of 2 from 8 to 1024 */
  constructor(fanout: number) {
    this.#bits = Math.log2(fanout);
    this.#mask = fanout - 1;
    this.#digits = (fanout - 1).toString(16).length;
  }

  take(name: ByteString): this {
    hashName(name, this.#high, this.#low, 0);
    return this;
  }

  /** The slot that the hash names at this level: the first bits at the root (level 0), the next ones below it; -1 where no bits are left. */
  slotAt(level: number): number {
    const [high = 0] = this.#high;
    const [low = 0] = this.#low;
    const bits = this.#bits;
    const end = (level + 1) * bits;
    if (end > HASH_BITS) return -1;
    if (end <= 32) return (high >>> (32 - end)) & this.#mask;
    const lowPart = end === HASH_BITS ? low : low >>> (HASH_BITS - end);
    return level * bits >= 32 ? lowPart & this.#mask : ((high << (end - 32)) | lowPart) & this.#mask;
  }

  /** The slot as it stands before the names of links: `0A`. */
  prefixAt(level: number): string {
    return this.slotAt(level).toString(16).toUpperCase().padStart(this.#digits, '0');
  }
}
