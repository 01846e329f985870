/** Writes a file and leaves holes for blocks of zeros, whether or not they were holes in the source. */
import { ftruncateSync, writeSync } from 'node:fs';

/** The unit in which file systems allocate. The part of such a block that comes in one write is left out when all of it is zero. */
const BLOCK_BYTES = 4096;
const ZEROS = Buffer.alloc(BLOCK_BYTES);

/** A new file, still empty. */
export class SparseFile {
  readonly fd: number;
  #length = 0;
  /** Where the last written byte ends; holes behind it make `#length` larger. */
  #written = 0;

  constructor(fd: number) {
    this.fd = fd;
  }

  /** Appends. */
  write(bytes: Uint8Array): void {
    const data = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
    for (let from = 0; from < data.length; ) {
      let hole = from;
      while (hole < data.length && (data[hole] !== 0 || !isZero(data, hole, this.#blockEnd(data, hole)))) hole = this.#blockEnd(data, hole);
      for (let at = from; at < hole; ) at += writeSync(this.fd, data, at, hole - at, this.#length + at);
      if (hole > from) this.#written = this.#length + hole;
      from = hole;
      while (from < data.length && isZero(data, from, this.#blockEnd(data, from))) from = this.#blockEnd(data, from);
    }
    this.#length += data.length;
  }

  /** Gives the file its length when it ends with zeros. */
  end(): void {
    if (this.#written < this.#length) ftruncateSync(this.fd, this.#length);
  }

  /** The end of the block that `at` is in, or of the data if that comes first. */
  #blockEnd(data: Buffer, at: number): number {
    return Math.min(data.length, at + BLOCK_BYTES - ((this.#length + at) % BLOCK_BYTES));
  }
}

/** Looks at the last byte first, which most blocks with data fail. */
function isZero(data: Buffer, from: number, to: number): boolean {
  return data[to - 1] === 0 && data.compare(ZEROS, 0, to - from, from, to) === 0;
}
