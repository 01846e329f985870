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
    this.#written = Math.max(this.#written, writeSparse(this.fd, bytes, this.#length));
    this.#length += bytes.length;
  }

  /** Gives the file its length when it ends with zeros. */
  end(): void {
    if (this.#written < this.#length) ftruncateSync(this.fd, this.#length);
  }
}

/** Writes bytes to their place in a file that has no bytes there yet. @returns where the last byte ends that was written, 0 when none was */
export function writeSparse(fd: number, bytes: Uint8Array, position: number): number {
  const data = bytes instanceof Buffer ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  const blockEnd = (at: number) => Math.min(data.length, at + BLOCK_BYTES - ((position + at) % BLOCK_BYTES));
  let written = 0;
  for (let from = 0; from < data.length; ) {
    let hole = from;
    while (hole < data.length && (data[hole] !== 0 || !isZero(data, hole, blockEnd(hole)))) hole = blockEnd(hole);
    for (let at = from; at < hole; ) at += writeSync(fd, data, at, hole - at, position + at);
    if (hole > from) written = position + hole;
    from = hole;
    while (from < data.length && isZero(data, from, blockEnd(from))) from = blockEnd(from);
  }
  return written;
}

/** Looks at the last byte first, which most blocks with data fail. */
function isZero(data: Buffer, from: number, to: number): boolean {
  return data[to - 1] === 0 && data.compare(ZEROS, 0, to - from, from, to) === 0;
}
