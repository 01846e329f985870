/**
 * The hash of HAMT directories: the first 64 bits of murmur3-x64-128 of a byte string. Our own, in 32-bit halves held in variables,
 * because a directory of 100,000 entries hashes all of its names whenever one of them changes; a test compares it with
 * @multiformats/murmur3.
 */
import type { ByteString } from '../core/model.ts';

const C1_HIGH = 0x87c37b91;
const C1_LOW = 0x114253d5;
const C2_HIGH = 0x4cf5ad43;
const C2_LOW = 0x2745937f;
const BLOCK_BYTES = 16;

/** Both halves of the number that the functions below work on. */
let high = 0;
let low = 0;

/** Writes the hash of a name to two columns, as unsigned numbers. */
export function hashName(name: ByteString, highs: Uint32Array, lows: Uint32Array, at: number): void {
  const { length } = name;
  let h1High = 0;
  let h1Low = 0;
  let h2High = 0;
  let h2Low = 0;
  const blocksEnd = length - (length % BLOCK_BYTES);
  for (let i = 0; i < blocksEnd; i += BLOCK_BYTES) {
    load(name, i, 8);
    scramble(C1_HIGH, C1_LOW, 31, C2_HIGH, C2_LOW);
    high ^= h1High;
    low ^= h1Low;
    rotate(27);
    add(h2High, h2Low);
    multiply(0, 5);
    add(0, 0x52dce729);
    h1High = high;
    h1Low = low;
    load(name, i + 8, 8);
    scramble(C2_HIGH, C2_LOW, 33, C1_HIGH, C1_LOW);
    high ^= h2High;
    low ^= h2Low;
    rotate(31);
    add(h1High, h1Low);
    multiply(0, 5);
    add(0, 0x38495ab5);
    h2High = high;
    h2Low = low;
  }
  load(name, blocksEnd + 8, Math.max(0, length - blocksEnd - 8));
  scramble(C2_HIGH, C2_LOW, 33, C1_HIGH, C1_LOW);
  h2High ^= high;
  h2Low ^= low ^ length;
  load(name, blocksEnd, Math.min(8, length - blocksEnd));
  scramble(C1_HIGH, C1_LOW, 31, C2_HIGH, C2_LOW);
  high ^= h1High;
  low ^= h1Low ^ length;
  add(h2High, h2Low);
  h1High = high;
  h1Low = low;
  add(h2High, h2Low);
  finish();
  h2High = high;
  h2Low = low;
  high = h1High;
  low = h1Low;
  finish();
  add(h2High, h2Low);
  highs[at] = high;
  lows[at] = low;
}

/** Loads `count` bytes, the lowest first; the rest is zero. */
function load(name: ByteString, at: number, count: number): void {
  low = 0;
  high = 0;
  const lowEnd = Math.min(4, count);
  for (let i = 0; i < lowEnd; i++) low |= name.charCodeAt(at + i) << (8 * i);
  for (let i = 4; i < count; i++) high |= name.charCodeAt(at + i) << (8 * (i - 4));
}

function scramble(firstHigh: number, firstLow: number, bits: number, secondHigh: number, secondLow: number): void {
  multiply(firstHigh, firstLow);
  rotate(bits);
  multiply(secondHigh, secondLow);
}

function finish(): void {
  low ^= high >>> 1;
  multiply(0xff51afd7, 0xed558ccd);
  low ^= high >>> 1;
  multiply(0xc4ceb9fe, 0x1a85ec53);
  low ^= high >>> 1;
}

/** Rotates to the left. */
function rotate(bits: number): void {
  const [a, b] = bits < 32 ? [high, low] : [low, high];
  const by = bits & 31;
  high = (a << by) | (b >>> (32 - by));
  low = (b << by) | (a >>> (32 - by));
}

function add(otherHigh: number, otherLow: number): void {
  const sum = (low >>> 0) + (otherLow >>> 0);
  high = (high + otherHigh + (sum > 0xffffffff ? 1 : 0)) | 0;
  low = sum | 0;
}

function multiply(otherHigh: number, otherLow: number): void {
  const a0 = low & 0xffff;
  const a1 = low >>> 16;
  const b0 = otherLow & 0xffff;
  const b1 = otherLow >>> 16;
  const p00 = a0 * b0;
  const p01 = a0 * b1;
  const p10 = a1 * b0;
  const middle = (p00 >>> 16) + (p01 & 0xffff) + (p10 & 0xffff);
  const carried = a1 * b1 + (p01 >>> 16) + (p10 >>> 16) + (middle >>> 16);
  high = (carried + Math.imul(high, otherLow) + Math.imul(low, otherHigh)) | 0;
  low = (middle << 16) | (p00 & 0xffff);
}
