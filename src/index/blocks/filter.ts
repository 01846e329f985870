/**
 * A Bloom filter over the digests of one segment: most blocks of a first `add` are new, and those that are not are in one segment of
 * many; this says so without touching the disk. A digest is random already, so four of its words are its four hashes.
 */

/** 12 bits a block and four hashes: 0.6 % false alarms. An answer is never wrong, only slower. */
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
      this.#words[bit >>> 5] = (this.#words[bit >>> 5] as number) | (1 << (bit & 31));
    }
  }

  /** False: certainly not here. True: look. */
  mayHave(digest: Uint8Array, at: number): boolean {
    for (let hash = 0; hash < 16; hash += 4) {
      const bit = wordAt(digest, at + hash) & this.#mask;
      if (((this.#words[bit >>> 5] as number) & (1 << (bit & 31))) === 0) return false;
    }
    return true;
  }
}

function wordAt(bytes: Uint8Array, at: number): number {
  return ((bytes[at] as number) << 24) | ((bytes[at + 1] as number) << 16) | ((bytes[at + 2] as number) << 8) | (bytes[at + 3] as number);
}
