/** Protobuf on the wire: varints, field tags and lengths, written at an offset of a buffer whose size was computed before. */

/** Wire types: the low three bits of a field's tag. */
export const VARINT = 0;
export const FIXED64 = 1;
export const BYTES = 2;
export const FIXED32 = 5;

/** @param value a whole number, 0…2^53−1 @returns how many bytes its varint takes */
export function varintLength(value: number): number {
  let length = 1;
  for (let rest = value; rest >= 0x80; rest = Math.floor(rest / 0x80)) length++;
  return length;
}

/** @param value a whole number, 0…2^53−1 @returns the offset after it */
export function writeVarint(out: Uint8Array, at: number, value: number): number {
  let rest = value;
  // Bit operations are of 32 bits: what is above them goes by division.
  for (; rest > 0x7fffffff; rest = Math.floor(rest / 0x80)) out[at++] = (rest % 0x80) | 0x80;
  for (; rest >= 0x80; rest >>>= 7) out[at++] = (rest & 0x7f) | 0x80;
  out[at++] = rest;
  return at;
}

/** Bytes of a protobuf int64 as a varint: ten for every negative number, which stands as its two's complement. */
export function int64Length(value: number): number {
  return value < 0 ? 10 : varintLength(value);
}

/** @param value a whole number, −2^53+1…2^53−1 @returns the offset after it */
export function writeInt64(out: Uint8Array, at: number, value: number): number {
  if (value >= 0) return writeVarint(out, at, value);
  let rest = BigInt.asUintN(64, BigInt(value));
  for (; rest >= 0x80n; rest >>= 7n) out[at++] = Number(rest & 0x7fn) | 0x80;
  out[at++] = Number(rest);
  return at;
}

/** Bytes of a length-delimited field with a one-byte tag. @param length bytes of its content */
export function fieldLength(length: number): number {
  return 1 + varintLength(length) + length;
}

/** Writes the tag and the length of a length-delimited field with a number below 16. @returns where its content goes */
export function writeFieldHeader(out: Uint8Array, at: number, field: number, length: number): number {
  out[at++] = (field << 3) | BYTES;
  return writeVarint(out, at, length);
}

/** Writes a varint field with a number below 16. @returns the offset after it */
export function writeVarintField(out: Uint8Array, at: number, field: number, value: number): number {
  out[at++] = (field << 3) | VARINT;
  return writeVarint(out, at, value);
}

/** Copies `length` bytes, all of which `source` has. A loop, because for the 32 bytes of a digest a native call or a view costs more than the copy. */
export function writeBytes(out: Uint8Array, at: number, source: Uint8Array, from: number, length: number): number {
  for (let i = 0; i < length; i++) out[at + i] = source[from + i] as number;
  return at + length;
}
