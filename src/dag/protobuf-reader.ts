/** Reads protobuf fields from untrusted bytes: strict about types and lengths, and never past the end. */
import { ShardctlError } from '../core/errors.ts';
import { BYTES, FIXED32, FIXED64, VARINT } from './protobuf-writer.ts';

const MAX_VARINT_BYTES = 10;

/** The block has the bytes that its hash says, and they are no UnixFS node: no other copy can be better. */
export class NotUnixFs extends ShardctlError {
  constructor(message: string, hint?: string) {
    super('DAMAGE', message, hint === undefined ? {} : { hint });
  }
}

export function damaged(what: string): ShardctlError {
  return new NotUnixFs(`not a UnixFS node: it has ${what}`);
}

/** A cursor over the fields of one message. The value of a field must be read, or skipped, before `next`. */
export class PbReader {
  readonly #bytes: Uint8Array;
  #at = 0;
  #type = 0;
  #field = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  /** Number of the current field. */
  get field(): number {
    return this.#field;
  }

  /** Goes to the next field; false at the end of the message. */
  next(): boolean {
    if (this.#at === this.#bytes.length) return false;
    const tag = this.#varint();
    this.#type = tag % 8;
    this.#field = Math.floor(tag / 8);
    return true;
  }

  /** A length-delimited value, as a view. */
  bytes(): Uint8Array {
    this.#expect(BYTES);
    return this.#take(this.#varint());
  }

  /** A varint of at most 2^53−1. */
  number(): number {
    this.#expect(VARINT);
    return this.#varint();
  }

  /** The values that this field adds to a repeated number: one, or several packed into it. Protobuf has readers accept both. */
  numbers(): number[] {
    if (this.#type !== BYTES) return [this.number()];
    const packed = new PbReader(this.bytes());
    const values: number[] = [];
    while (packed.#at < packed.#bytes.length) values.push(packed.#varint());
    return values;
  }

  /** A varint that is an int64. */
  int64(): bigint {
    this.#expect(VARINT);
    return BigInt.asIntN(64, this.#varint64());
  }

  /** A 32-bit number of fixed length. */
  fixed32(): number {
    this.#expect(FIXED32);
    const bytes = this.#take(4);
    return new DataView(bytes.buffer, bytes.byteOffset, bytes.length).getUint32(0, true);
  }

  /** Passes over an unknown field. */
  skip(): void {
    if (this.#type === VARINT) this.#varint64();
    else if (this.#type === FIXED64) this.#take(8);
    else if (this.#type === BYTES) this.#take(this.#varint());
    else if (this.#type === FIXED32) this.#take(4);
    else throw damaged(`an unknown wire type ${this.#type}`);
  }

  #expect(type: number): void {
    if (this.#type !== type) throw damaged(`the wrong wire type in field ${this.#field}`);
  }

  #take(length: number): Uint8Array {
    const start = this.#at;
    if (length > this.#bytes.length - start) throw damaged(`a field ${this.#field} that is longer than the block`);
    this.#at += length;
    return this.#bytes.subarray(start, this.#at);
  }

  #varint(): number {
    let value = 0;
    let scale = 1;
    for (let i = 0; i < MAX_VARINT_BYTES; i++) {
      const byte = this.#byte();
      value += (byte & 0x7f) * scale;
      if (value > Number.MAX_SAFE_INTEGER) break;
      if (byte < 0x80) return value;
      scale *= 0x80;
    }
    throw damaged('a number that is too large');
  }

  #varint64(): bigint {
    let value = 0n;
    for (let i = 0n; i < MAX_VARINT_BYTES; i++) {
      const byte = this.#byte();
      value |= BigInt(byte & 0x7f) << (7n * i);
      if (byte < 0x80) return value;
    }
    throw damaged('a number that is too large');
  }

  #byte(): number {
    const byte = this.#bytes[this.#at++];
    if (byte === undefined) throw damaged('a number that is cut');
    return byte;
  }
}
