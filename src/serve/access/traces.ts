/**
 * A set of blocks of which only 64 bits each are kept, its *traces*: 10 to 16 bytes a block, where whole digests take 44 to 88. It may
 * take one block for another with a chance of 2^-63 for each pair, and nobody can make such a pair: the bits are drawn from the whole
 * digest by tables that are random in each process (simple tabulation hashing, which collides for any two inputs with exactly that
 * chance). So whoever may upload to a public repository gains no sight of a private block by it.
 *
 * A leaf and a node of one digest are two (see `core/block-set.ts`), told apart by the lowest bit.
 */
import { randomFillSync } from 'node:crypto';
import { type BlockId, DIGEST_BYTES, RAW } from '../../core/model.ts';

/** A set is in parts that grow one by one, because growing takes about 50 ns a block, in which nobody else is served. */
const PARTS = 64;
const FIRST_SLOTS = 16;
/** Slots are probed one after the other; at most so many of them are taken. */
const MOST_TAKEN = 0.8;
const GROWTH = 1.5;

const LOW = randomFillSync(new Uint32Array(DIGEST_BYTES * 256));
const HIGH = randomFillSync(new Uint32Array(DIGEST_BYTES * 256));

/** The trace of a digest, without the bit that tells leaf and node apart. */
export interface Trace {
  readonly low: number;
  readonly high: number;
}

export function traceOf(digest: Uint8Array): Trace {
  let low = 0;
  let high = 0;
  for (let at = 0; at < DIGEST_BYTES; at++) {
    const entry = (at << 8) | (digest[at] as number);
    low ^= LOW[entry] as number;
    high ^= HIGH[entry] as number;
  }
  // A slot of two zeros is free.
  return { low: (low & ~1) >>> 0, high: high >>> 0 || 1 };
}

export class Traces {
  readonly #parts = Array.from({ length: PARTS }, () => new Part());

  get size(): number {
    return this.#parts.reduce((sum, { size }) => sum + size, 0);
  }

  /** Bytes that it takes. */
  get bytes(): number {
    return this.#parts.reduce((sum, { bytes }) => sum + bytes, 0);
  }

  /** Whether the block is here, as a leaf or as a node. */
  has(trace: Trace): boolean {
    return this.#partOf(trace).has(trace);
  }

  /** @returns false (and no change) when this block is here already */
  add({ codec, digest }: BlockId): boolean {
    const trace = traceOf(digest);
    return this.#partOf(trace).add(codec === RAW ? trace.low : (trace.low | 1) >>> 0, trace);
  }

  #partOf({ high }: Trace): Part {
    return this.#parts[high >>> 26] as Part;
  }
}

class Part {
  #low = new Uint32Array(FIRST_SLOTS);
  #high = new Uint32Array(FIRST_SLOTS);
  size = 0;

  get bytes(): number {
    return this.#low.byteLength + this.#high.byteLength;
  }

  has({ low, high }: Trace): boolean {
    for (let slot = this.#slotOf(low); ; slot = this.#after(slot)) {
      const taken = this.#high[slot] as number;
      if (taken === 0) return false;
      if (taken === high && ((this.#low[slot] as number) & ~1) >>> 0 === low) return true;
    }
  }

  /** @param marked the low half with the bit that tells leaf and node apart @returns as `Traces.add` */
  add(marked: number, { low, high }: Trace): boolean {
    const slot = this.#find(marked, low, high);
    if (this.#high[slot] !== 0) return false;
    this.#low[slot] = marked;
    this.#high[slot] = high;
    this.size++;
    if (this.size > this.#low.length * MOST_TAKEN) this.#grow();
    return true;
  }

  /** The slot of the block, or the free one where it belongs. */
  #find(marked: number, low: number, high: number): number {
    for (let slot = this.#slotOf(low); ; slot = this.#after(slot)) {
      const taken = this.#high[slot] as number;
      if (taken === 0 || (taken === high && this.#low[slot] === marked)) return slot;
    }
  }

  #slotOf(low: number): number {
    return Math.floor((low / 2 ** 32) * this.#low.length);
  }

  #after(slot: number): number {
    return slot + 1 === this.#low.length ? 0 : slot + 1;
  }

  #grow(): void {
    const [oldLow, oldHigh] = [this.#low, this.#high];
    this.#low = new Uint32Array(Math.ceil(oldLow.length * GROWTH));
    this.#high = new Uint32Array(this.#low.length);
    for (let old = 0; old < oldLow.length; old++) {
      const high = oldHigh[old] as number;
      if (high === 0) continue;
      const marked = oldLow[old] as number;
      const slot = this.#find(marked, (marked & ~1) >>> 0, high);
      this.#low[slot] = marked;
      this.#high[slot] = high;
    }
  }
}
