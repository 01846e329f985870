/**
 * A Bloom filter over digests: most blocks of a first `add` are new, and this says so without touching the disk.
 * A digest is random already, so four of its words are its four hashes.
 *
 * Memory is bounded: at the cap, 22 million blocks still have 12 bits each (0.3 % false alarms); beyond that false alarms grow,
 * and each costs a page read per run. An answer is never wrong, only slower.
 */
const BITS_PER_BLOCK = 12;
const MAX_BYTES = 32 * 1024 * 1024;
const MIN_BYTES = 256 * 1024;

export class BlockFilter {
  readonly #words: Uint32Array;
  readonly #mask: number;

  /** @param blocks how many are expected */
  constructor(blocks: number) {
    let bytes = MIN_BYTES;
    while (bytes < MAX_BYTES && bytes * 8 < blocks * BITS_PER_BLOCK) bytes *= 2;
    this.#words = new Uint32Array(bytes / 4);
    this.#mask = bytes * 8 - 1;
  }

  /** How many blocks it can take before its false alarms grow. */
  get capacity(): number {
    return (this.#words.length * 32) / BITS_PER_BLOCK;
  }

  get isLargest(): boolean {
    return this.#words.length * 4 === MAX_BYTES;
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
