/**
 * A Bloom filter over the digests of one segment. Most blocks of a first `add` are new, and the others are in one of many segments: the
 * filter rules segments out without reading from disk. Digests are uniformly distributed, so four words of one are its four hashes.
 */

/** With 12 bits a block and four hashes, 0.6 % of the blocks that are not there pass. Such a block costs a look at the segment, and no wrong answer. */
export const BITS_PER_BLOCK = 12;

export class BlockFilter {
  readonly #words: Uint32Array;
  readonly #mask: number;

  constructor(bits: number) {
    let size = 1024;
    while (size < bits) size *= 2;
    this.#words = new Uint32Array(size / 32);
    this.#mask = size - 1;
  }

  add(digest: Uint8Array, at: number): void {
    for (let hash = 0; hash < 16; hash += 4) {
      const bit = wordAt(digest, at + hash) & this.#mask;
      this.#words[bit >>> 5] = this.#wordOf(bit) | (1 << (bit & 31));
    }
  }

  /** False: the block is certainly not in the segment. True: it may be. */
  mayHave(digest: Uint8Array, at: number): boolean {
    for (let hash = 0; hash < 16; hash += 4) {
      const bit = wordAt(digest, at + hash) & this.#mask;
      if ((this.#wordOf(bit) & (1 << (bit & 31))) === 0) return false;
    }
    return true;
  }

  /** The word that has a bit. Never undefined: bits are masked to the size of the filter. */
  #wordOf(bit: number): number {
    return this.#words[bit >>> 5] as number;
  }
}

function wordAt(bytes: Uint8Array, at: number): number {
  return ((bytes[at] as number) << 24) | ((bytes[at + 1] as number) << 16) | ((bytes[at + 2] as number) << 8) | (bytes[at + 3] as number);
}
