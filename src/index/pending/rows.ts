/** Collects rows of pending entries for the file, in one block of memory that is used again, without an object for each row. */

import { DIGEST_BYTES } from '../../core/model.ts';
import { CID_COLUMN_BYTES, type Directory } from '../../walk/directory.ts';
import { GROUP_BYTES, ROW_BYTES } from './format.ts';

/** A block is written when it has grown to this. */
const FULL_BYTES = 64 * 1024;
/** Size of the memory at first: a path may have 4 KiB, a name 255 bytes. */
const FIRST_BYTES = FULL_BYTES + 8 * 1024;

export class PendingRows {
  #bytes = new Uint8Array(FIRST_BYTES);
  #doubles = new Float64Array(this.#bytes.buffer);
  #longs = new BigInt64Array(this.#bytes.buffer);
  #words = new Uint32Array(this.#bytes.buffer);
  #shorts = new Uint16Array(this.#bytes.buffer);
  #end = 0;
  /** The directory of the last group, and where that group begins. */
  #directory: Directory | undefined;
  #groupAt = 0;

  get isEmpty(): boolean {
    return this.#end === 0;
  }

  get isFull(): boolean {
    return this.#end >= FULL_BYTES;
  }

  /** Adds a file that has its CID. @param ctimeNs its ctime, or NO_CTIME if the next run is to read it again */
  add(directory: Directory, index: number, ctimeNs: bigint): void {
    const name = directory.names[index] as string;
    this.#reserve(GROUP_BYTES + directory.path.length + ROW_BYTES + name.length + 16);
    if (this.#directory !== directory) this.#startGroup(directory);
    this.#words[this.#groupAt >> 2] = (this.#words[this.#groupAt >> 2] as number) + 1;
    const at = this.#end;
    const at8 = at >> 3;
    this.#doubles[at8] = directory.sizes[index] as number;
    this.#doubles[at8 + 1] = directory.dagSizes?.[index] as number;
    this.#longs[at8 + 2] = directory.mtimes[index] as bigint;
    this.#longs[at8 + 3] = ctimeNs;
    this.#longs[at8 + 4] = directory.inodes[index] as bigint;
    this.#shorts[(at >> 1) + 20] = directory.modes[index] as number;
    const cids = directory.cids as Buffer;
    const cidAt = index * CID_COLUMN_BYTES;
    this.#bytes[at + 42] = cids[cidAt] as number;
    this.#bytes[at + 43] = name.length;
    for (let i = 0; i < DIGEST_BYTES; i++) this.#bytes[at + 44 + i] = cids[cidAt + 1 + i] as number;
    this.#end = this.#text(name, at + ROW_BYTES);
  }

  /** Returns the rows and begins a new block. A view: valid until the next `add`. */
  take(): Uint8Array {
    const block = this.#bytes.subarray(0, this.#end);
    this.#end = 0;
    this.#directory = undefined;
    return block;
  }

  #startGroup(directory: Directory): void {
    this.#directory = directory;
    this.#groupAt = this.#end;
    this.#words[this.#end >> 2] = 0;
    this.#words[(this.#end >> 2) + 1] = directory.path.length;
    this.#end = this.#text(directory.path, this.#end + GROUP_BYTES);
  }

  /** Writes a byte string and the zeros that pad it; returns the offset after them. */
  #text(text: string, at: number): number {
    const end = at + text.length;
    for (let i = 0; i < text.length; i++) this.#bytes[at + i] = text.charCodeAt(i);
    const padded = (end + 7) & ~7;
    this.#bytes.fill(0, end, padded);
    return padded;
  }

  #reserve(bytes: number): void {
    if (this.#end + bytes <= this.#bytes.length) return;
    const larger = new Uint8Array((this.#end + bytes) * 2 + ((-(this.#end + bytes) * 2) & 7));
    larger.set(this.#bytes);
    this.#bytes = larger;
    this.#doubles = new Float64Array(larger.buffer);
    this.#longs = new BigInt64Array(larger.buffer);
    this.#words = new Uint32Array(larger.buffer);
    this.#shorts = new Uint16Array(larger.buffer);
  }
}
