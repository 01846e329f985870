/** A CAR on this machine that is open, with the offsets of its blocks. */
import { closeSync, read, readSync } from 'node:fs';
import { promisify } from 'node:util';
import type { OpenOffsets } from './offsets-cache.ts';
import type { Offset } from './offsets-file.ts';

const readAsync = promisify(read);

/** A file that is open for reading by offset. */
export interface OpenFile {
  readonly fd: number;
  /** Whether it stays open for now: for as long as it does, extents in it stay true. */
  readonly isOpen: boolean;
  /** What lies there, read at once, not hashed; fewer bytes where the file ends. */
  bytesAt(extent: { readonly at: number; readonly length: number }): Buffer;
  /** Keeps it open beyond this turn of the event loop, until `release`. */
  hold(): void;
  release(): void;
}

export class OpenCar implements OpenFile {
  readonly cid: string;
  /** Name of the peer whose file it is. */
  readonly peer: string;
  readonly path: string;
  readonly size: number;
  readonly fd: number;
  readonly #offsets: OpenOffsets;
  #holders = 0;
  #isLeft = false;
  #isClosed = false;
  /** When it was last used, in steps of its books. */
  usedAt = 0;

  constructor(cid: string, peer: string, path: string, fd: number, size: number, offsets: OpenOffsets) {
    this.cid = cid;
    this.peer = peer;
    this.path = path;
    this.fd = fd;
    this.size = size;
    this.#offsets = offsets;
  }

  get descriptors(): number {
    return this.#offsets.isFile ? 2 : 1;
  }

  get isOpen(): boolean {
    return !this.#isLeft;
  }

  get heldBytes(): number {
    return this.#offsets.offsets.heldBytes;
  }

  /** As `Offsets.find`; only what lies within the file. */
  find(digest: Uint8Array, skip?: number): Offset | undefined {
    const found = this.#offsets.offsets.find(digest, skip);
    return found === undefined || found.at + found.length > this.size ? undefined : found;
  }

  bytesAt({ at, length }: Pick<Offset, 'at' | 'length'>): Buffer {
    const bytes = Buffer.allocUnsafe(length);
    return bytes.subarray(0, readSync(this.fd, bytes, 0, length, at));
  }

  /** As `bytesAt`, without holding up others while the disk is busy. */
  async bytesSoon({ at, length }: Pick<Offset, 'at' | 'length'>): Promise<Buffer> {
    this.hold();
    try {
      const { buffer, bytesRead } = await readAsync(this.fd, Buffer.allocUnsafe(length), 0, length, at);
      return buffer.subarray(0, bytesRead);
    } finally {
      this.release();
    }
  }

  /** Fills the window with what lies at `at`. @returns how many bytes there were */
  async fill(window: Buffer, at: number): Promise<number> {
    return (await readAsync(this.fd, window, 0, window.length, at)).bytesRead;
  }

  hold(): void {
    this.#holders++;
  }

  release(): void {
    if (--this.#holders === 0 && this.#isLeft) this.#close();
  }

  /** Closes it when nobody holds it any more. */
  leave(): void {
    this.#isLeft = true;
    if (this.#holders === 0) this.#close();
  }

  #close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    closeSync(this.fd);
    this.#offsets.close();
  }
}
