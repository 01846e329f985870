/** A CAR as it comes in: bytes by their number, whatever pieces they come in, and never more of them than one section in memory. */
import { ShardctlError } from '../core/errors.ts';

/** What a varint of four bytes holds: more than any length that is let through. */
const MAX_VARINT_BYTES = 4;

export class CarInput {
  readonly #chunks: AsyncIterator<Uint8Array>;
  readonly #name: string;
  #held = Buffer.alloc(0);
  /** Bytes that were taken. */
  offset = 0;
  /** Where what is to be read ends; nothing is given beyond it. */
  #end = Number.POSITIVE_INFINITY;

  /** @param name what it is called in messages */
  constructor(chunks: AsyncIterable<Uint8Array>, name: string) {
    this.#chunks = chunks[Symbol.asyncIterator]();
    this.#name = name;
  }

  refuse(why: string): ShardctlError {
    return new ShardctlError('DAMAGE', `${this.#name} ${why}`);
  }

  /** What comes after `bytes` more of them is none of the CAR's. */
  endAfter(bytes: number): void {
    this.#end = this.offset + bytes;
  }

  /** Undefined when there are fewer bytes left. */
  async take(length: number): Promise<Buffer | undefined> {
    if (this.offset + length > this.#end || !(await this.#gather(length))) return undefined;
    const bytes = this.#held.subarray(0, length);
    this.#held = this.#held.subarray(length);
    this.offset += length;
    return bytes;
  }

  /** Passes over bytes; false when there are fewer left. */
  async skip(length: number): Promise<boolean> {
    let left = length;
    for (; left > 0; ) {
      const bytes = await this.take(Math.min(left, Math.max(1, this.#held.length)));
      if (bytes === undefined) return false;
      left -= bytes.length;
    }
    return true;
  }

  /** Undefined at the end. @throws ShardctlError `DAMAGE` when the end is within it, or it is more than `most` */
  async varint(most: number): Promise<number | undefined> {
    const at = this.offset;
    let value = 0;
    for (let i = 0, scale = 1; ; i++, scale *= 0x80) {
      const byte = (await this.take(1))?.[0];
      if (byte === undefined && i === 0 && (this.#end === Number.POSITIVE_INFINITY || at === this.#end)) return undefined;
      if (byte === undefined || i === MAX_VARINT_BYTES) throw this.refuse(`is not a CAR, or is cut off at offset ${at}`);
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) break;
    }
    if (value > most) throw this.refuse(`is not a CAR: it claims ${value} bytes at offset ${at}`);
    return value;
  }

  /** Reads to the end of the CAR. False when there is anything but zeros. */
  async isPadding(): Promise<boolean> {
    for (;;) {
      const bytes = await this.take(Math.max(1, Math.min(this.#held.length, this.#end - this.offset)));
      if (bytes === undefined) return true;
      if (bytes.some((byte) => byte !== 0)) return false;
    }
  }

  /** Takes what comes after the CAR, so that whoever writes it into a pipe is not cut off. */
  async drain(): Promise<void> {
    this.#held = Buffer.alloc(0);
    while ((await this.#chunks.next()).done !== true);
  }

  async #gather(length: number): Promise<boolean> {
    if (this.#held.length >= length) return true;
    const parts = [this.#held];
    let have = this.#held.length;
    while (have < length) {
      const step = await this.#chunks.next();
      if (step.done === true) break;
      parts.push(Buffer.from(step.value));
      have += step.value.length;
    }
    this.#held = Buffer.concat(parts);
    return have >= length;
  }
}
