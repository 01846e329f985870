/**
 * The bytes of a CAR as @ipld/car asks for them (its `BytesReader`), whatever pieces they come in. The library's own reader gives
 * as many bytes as the CAR claims, and passes over any number of them; this one holds one section at most, and ends where a
 * CARv2 says that its CARv1 ends.
 */
import { ShardctlError } from '../../core/errors.ts';

/** Zeros are looked at in pieces of this size. */
const PADDING_BYTES = 64 * 1024;

export class CarBytes {
  readonly #chunks: AsyncIterator<Uint8Array>;
  readonly #name: string;
  #held: Buffer = Buffer.alloc(0);
  /** Bytes to pass over that have not come in yet. */
  #toSkip = 0;
  /** Where the CARv1 ends; nothing is given beyond it. */
  #end = Number.POSITIVE_INFINITY;
  /** Bytes that were taken or passed over. */
  pos = 0;
  /** The most bytes that are given at once. */
  limit: number;
  /** Why the source could not be read, if it could not. */
  failure: unknown;

  /** @param name what the CAR is called in messages */
  constructor(chunks: AsyncIterable<Uint8Array>, name: string, limit: number) {
    this.#chunks = chunks[Symbol.asyncIterator]();
    this.#name = name;
    this.limit = limit;
  }

  refuse(why: string): ShardctlError {
    return new ShardctlError('DAMAGE', `${this.#name} ${why}`);
  }

  /** Whether the source ended where a CARv2 promises more. */
  get isCut(): boolean {
    return this.#end !== Number.POSITIVE_INFINITY && this.pos < this.#end;
  }

  /** What comes after `offset` is none of the CARv1's. */
  endAt(offset: number): void {
    this.#end = offset;
  }

  /** The next bytes, without taking them; fewer at the end. They are views. */
  async upTo(length: number): Promise<Buffer> {
    await this.#fill(length);
    return this.#held.subarray(0, Math.max(0, Math.min(length, this.#end - this.pos)));
  }

  /** @param seek take them, too @throws ShardctlError `DAMAGE` when there are fewer, or `limit` is less */
  async exactly(length: number, seek = false): Promise<Buffer> {
    if (length > this.limit) throw this.refuse(`is not a CAR: it claims ${length} bytes at offset ${this.pos}`);
    const bytes = await this.upTo(length);
    if (bytes.length < length) throw this.refuse(`is not a CAR, or was cut off at offset ${this.pos + bytes.length}`);
    if (seek) this.seek(length);
    return bytes;
  }

  /** Takes what was looked at, or passes over what is still to come: from the head of a CARv2 to its CARv1. */
  seek(length: number): void {
    const to = this.pos + length;
    // The writer of a CARv2 fills in its head when it is done.
    if (to === 0) throw this.refuse('is a CARv2 that was never finished');
    if (!(length >= 0 && Number.isSafeInteger(to))) throw this.refuse('is a CARv2 with an impossible head');
    this.#toSkip += Math.max(0, length - this.#held.length);
    this.#held = this.#held.subarray(length);
    this.pos = to;
  }

  /** Reads to the end of the CAR. @returns false when there is anything but zeros */
  async isPadding(): Promise<boolean> {
    for (let bytes = await this.upTo(1); bytes.length > 0; bytes = await this.upTo(PADDING_BYTES)) {
      if (bytes.some((byte) => byte !== 0)) return false;
      this.seek(bytes.length);
    }
    return true;
  }

  /** Takes what comes after the CAR, so that whoever writes it into a pipe is not cut off. */
  async drain(): Promise<void> {
    this.#held = Buffer.alloc(0);
    while ((await this.#next()) !== undefined);
  }

  async #fill(length: number): Promise<void> {
    if (this.#held.length >= length) return;
    const parts: Uint8Array[] = [this.#held];
    let have = this.#held.length;
    while (have < length) {
      const chunk = await this.#next();
      if (chunk === undefined) break;
      const skipped = Math.min(this.#toSkip, chunk.length);
      this.#toSkip -= skipped;
      parts.push(chunk.subarray(skipped));
      have += chunk.length - skipped;
    }
    this.#held = Buffer.concat(parts);
  }

  async #next(): Promise<Uint8Array | undefined> {
    try {
      const step = await this.#chunks.next();
      return step.done === true ? undefined : step.value;
    } catch (error) {
      this.failure = error;
      throw error;
    }
  }
}
