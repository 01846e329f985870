/**
 * The rabin chunker, cut for cut as Kubo's. That of ipfs-unixfs-importer has another polynomial and starts each chunk
 * with another state, so that its CIDs are not those of `ipfs add`.
 *
 * A fingerprint of the last 16 bytes rolls over the file: a polynomial over GF(2), modulo one of degree 53. A chunk ends
 * where its low bits are all zero. It is held in two halves, `high` of 21 bits and `low` of 32, because bit operations are
 * of 32 bits.
 */
import type { Chunker } from 'ipfs-unixfs-importer/chunker';
import type { ChunkerOptions } from '../core/model.ts';

const POLYNOMIAL = 17437180132763653n;
const DEGREE = 53n;
const WINDOW_BYTES = 16;

/** One half of 256 polynomials. */
type Half = Int32Array;

/** Each table has 256 entries, and is asked for a byte. */
function half(table: Half, byte: number): number {
  return table[byte] as number;
}

/** @param at below the number of bytes */
function byteAt(bytes: Uint8Array, at: number): number {
  return bytes[at] as number;
}

interface Tables {
  /** What a byte adds to the fingerprint by the time it leaves the window. */
  readonly outLow: Half;
  readonly outHigh: Half;
  /** What reduces the eight bits above the degree, by their value. */
  readonly modLow: Half;
  readonly modHigh: Half;
}

let tables: Tables | undefined;

function makeTables(): Tables {
  const out = polynomials((byte) => {
    let left = modulo(byte);
    for (let i = 1; i < WINDOW_BYTES; i++) left = modulo(left << 8n);
    return left;
  });
  const mod = polynomials((byte) => (byte << DEGREE) | modulo(byte << DEGREE));
  return { outLow: out.low, outHigh: out.high, modLow: mod.low, modHigh: mod.high };
}

function polynomials(of: (byte: bigint) => bigint): { low: Half; high: Half } {
  const all = Array.from({ length: 256 }, (_, byte) => of(BigInt(byte)));
  return { low: Int32Array.from(all, (p) => Number(BigInt.asIntN(32, p))), high: Int32Array.from(all, (p) => Number(p >> 32n)) };
}

/** @param polynomial of a degree below 61 */
function modulo(polynomial: bigint): bigint {
  for (let shift = 7n; shift >= 0n; shift--) {
    if ((polynomial >> (DEGREE + shift)) & 1n) polynomial ^= POLYNOMIAL << shift;
  }
  return polynomial;
}

type RabinOptions = Omit<Extract<ChunkerOptions, { kind: 'rabin' }>, 'kind'>;

/** Finds where chunks end in a stream, whatever pieces the stream comes in. */
class Cutter {
  readonly #min: number;
  readonly #max: number;
  readonly #mask: number;
  readonly #tables: Tables;
  readonly #window = new Uint8Array(WINDOW_BYTES);
  #at = 0;
  #low = 0;
  #high = 0;
  /** Bytes of the chunk that has not ended. */
  #length = 0;

  constructor({ min, avg, max }: RabinOptions) {
    tables ??= makeTables();
    this.#tables = tables;
    this.#min = min;
    this.#max = max;
    this.#mask = 2 ** Math.floor(Math.log2(avg)) - 1;
    this.#reset();
  }

  /** Rolls over `piece` from `from`; returns where the open chunk ends in it, or undefined when it goes on behind it. */
  next(piece: Uint8Array, from: number): number | undefined {
    const { outLow, outHigh, modLow, modHigh } = this.#tables;
    const window = this.#window;
    // No chunk ends before the least size, so only the window before that is hashed.
    const skipped = Math.min(Math.max(0, this.#min - WINDOW_BYTES - this.#length), piece.length - from);
    let length = this.#length + skipped;
    let at = this.#at;
    let low = this.#low;
    let high = this.#high;
    for (let i = from + skipped; i < piece.length; i++) {
      const byte = byteAt(piece, i);
      const gone = byteAt(window, at);
      window[at] = byte;
      at = (at + 1) % WINDOW_BYTES;
      low ^= half(outLow, gone);
      high ^= half(outHigh, gone);
      const above = high >>> 13;
      high = ((high << 8) | (low >>> 24)) ^ half(modHigh, above);
      low = ((low << 8) | byte) ^ half(modLow, above);
      length++;
      if (length >= this.#min && ((low & this.#mask) === 0 || length >= this.#max)) {
        this.#reset();
        return i + 1;
      }
    }
    this.#length = length;
    this.#at = at;
    this.#low = low;
    this.#high = high;
    return undefined;
  }

  /** Each chunk starts as if a byte of 1 had just come in. */
  #reset(): void {
    this.#window.fill(0);
    this.#window[0] = 1;
    this.#at = 1;
    this.#low = 1;
    this.#high = 0;
    this.#length = 0;
  }
}

/** A chunker as ipfs-unixfs-importer takes one. A chunk may be a view of what the source gave. */
export function rabinChunker(options: RabinOptions): Chunker {
  return async function* (source) {
    const cutter = new Cutter(options);
    let open: Uint8Array[] = [];
    for await (const piece of source) {
      let start = 0;
      for (let end = cutter.next(piece, 0); end !== undefined; end = cutter.next(piece, start)) {
        yield joined([...open, piece.subarray(start, end)]);
        open = [];
        start = end;
      }
      if (start < piece.length) open.push(piece.subarray(start));
    }
    if (open.length > 0) yield joined(open);
  };
}

function joined(parts: readonly Uint8Array[]): Uint8Array {
  const [first] = parts;
  return parts.length === 1 && first !== undefined ? first : Buffer.concat(parts);
}
