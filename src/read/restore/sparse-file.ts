/** Writes a file and leaves out what is zero: it comes back as sparse as it can be, whatever it was in the source. */
import { ftruncateSync, writeSync } from 'node:fs';

/** What file systems allocate: such a block of the file is left out when all that comes of it at once is zero. */
const BLOCK_BYTES = 4096;
const ZEROS = Buffer.alloc(BLOCK_BYTES);

/** A new file, still empty. */
export class SparseFile {
  readonly fd: number;
  #length = 0;
  /** Where the last of what was written ends. */
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

  /** Where the block ends that `at` is in, or the data. */
  #blockEnd(data: Buffer, at: number): number {
    return Math.min(data.length, at + BLOCK_BYTES - ((this.#length + at) % BLOCK_BYTES));
  }
}

/** Of most blocks the first byte says so already, and then this is not asked. */
function isZero(data: Buffer, from: number, to: number): boolean {
  return data[to - 1] === 0 && data.compare(ZEROS, 0, to - from, from, to) === 0;
}
