/**
 * Places of open CARs at which blocks were found intact a short while ago. A server reads the same blocks again and again, and to hash
 * them is more than half of what that takes: 5 µs of 10 KiB, 157 ms of 256 MiB, where reading and sending takes 20 µs and 60 ms.
 *
 * A place counts for ten minutes, and for as long as `OpenCar` finds the file unchanged: any write to it sets its ctime, which nobody can
 * set back. What of a large file was not in memory any more is hashed again (`OpenCar.fromMemory`). So what is not seen within that time is a
 * disk that gives other bytes than it gave before, without an error: of a small block, and of one that somebody else has meanwhile had read
 * again; also who writes through a mapping of the file that he has had for a while. `verify` looks for those, and the next time that the
 * block is hashed finds them.
 *
 * A table in which a block has one of four slots beside each other, until other blocks take it: the oldest one's first. 131,072 slots of 48
 * bytes, made when the first is used. With a single slot for each block, 15 of a hundred were hashed each time when 22,000 were asked for
 * in turn, because they took it from one another.
 */
import { DIGEST_BYTES } from '../../core/model.ts';

const SLOTS = 131_072;
/** 8 of the digest, then the file, the offset in two parts, and the second. */
const WORDS = 12;
const DIGEST_WORDS = DIGEST_BYTES / 4;
const WAYS = 4;
const FOR_SECONDS = 600;
const LOW_WORD = 2 ** 32;

export class IntactPlaces {
  readonly #slots: number;
  #words: Uint32Array | undefined;

  /** @param slots a power of two, from 4 on */
  constructor(slots = SLOTS) {
    this.#slots = slots;
  }

  /**
   * Whether this very block was noted at this very place, not long ago.
   * @param file number of the file as it is now @param at below 2^53 @param second of a clock that only goes on
   */
  has(digest: Uint8Array, file: number, at: number, second: number): boolean {
    const words = this.#words;
    if (words === undefined) return false;
    const slot = this.#slotOf(words, digest);
    return (
      slot !== undefined &&
      words[slot + DIGEST_WORDS] === file &&
      words[slot + DIGEST_WORDS + 1] === at % LOW_WORD &&
      words[slot + DIGEST_WORDS + 2] === Math.floor(at / LOW_WORD) &&
      second - (words[slot + DIGEST_WORDS + 3] as number) < FOR_SECONDS
    );
  }

  note(digest: Uint8Array, file: number, at: number, second: number): void {
    this.#words ??= new Uint32Array(this.#slots * WORDS);
    const words = this.#words;
    const slot = this.#slotOf(words, digest) ?? this.#oldestOf(words, this.#firstOf(digest));
    for (let word = 0; word < DIGEST_WORDS; word++) words[slot + word] = wordAt(digest, word * 4);
    words[slot + DIGEST_WORDS] = file;
    words[slot + DIGEST_WORDS + 1] = at % LOW_WORD;
    words[slot + DIGEST_WORDS + 2] = Math.floor(at / LOW_WORD);
    words[slot + DIGEST_WORDS + 3] = second;
  }

  /** The slot that the block has; undefined when it has none. */
  #slotOf(words: Uint32Array, digest: Uint8Array): number | undefined {
    const first = this.#firstOf(digest);
    for (let slot = first; slot < first + WAYS * WORDS; slot += WORDS) if (isIn(words, slot, digest)) return slot;
    return undefined;
  }

  /** The first of the slots that a block may have. */
  #firstOf(digest: Uint8Array): number {
    return (wordAt(digest, 0) & (this.#slots - WAYS)) * WORDS;
  }

  #oldestOf(words: Uint32Array, first: number): number {
    let oldest = first;
    for (let slot = first; slot < first + WAYS * WORDS; slot += WORDS)
      if ((words[slot + WORDS - 1] as number) < (words[oldest + WORDS - 1] as number)) oldest = slot;
    return oldest;
  }
}

function isIn(words: Uint32Array, slot: number, digest: Uint8Array): boolean {
  for (let word = 0; word < DIGEST_WORDS; word++) if (words[slot + word] !== wordAt(digest, word * 4)) return false;
  return true;
}

function wordAt(bytes: Uint8Array, at: number): number {
  const low = (bytes[at] as number) | ((bytes[at + 1] as number) << 8) | ((bytes[at + 2] as number) << 16);
  return (low | ((bytes[at + 3] as number) << 24)) >>> 0;
}
