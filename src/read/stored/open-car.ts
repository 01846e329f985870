/** A CAR on this machine that is open, with the offsets of its blocks. */
import { closeSync, read, readSync } from 'node:fs';
import { promisify } from 'node:util';
import { hashesTo } from '../../dag/cid.ts';
import { FileLooks } from './file-looks.ts';
import { IntactPlaces } from './intact-places.ts';
import { type MemoryRead, memoryReadOf } from './memory-reads.ts';
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
  /**
   * Whether `bytes`, which were just read at `at`, are the block. They are hashed, unless the block was found there a short while ago
   * and the file has not changed since (`intact-places.ts`).
   */
  isIntact(at: number, bytes: Uint8Array, digest: Uint8Array): boolean;
  /**
   * Whether `isIntact` would not hash the block: then a part of it that `fromMemory` has read before this is asked is right, too.
   */
  isKnown(at: number, digest: Uint8Array): boolean;
  /**
   * Fills `into` with what lies at `at`, at once, if the system has all of that in memory. If it has not, what was found intact in the
   * file is hashed again: a disk may give other bytes than it gave before.
   * @returns false also where it cannot be told what is in memory
   */
  fromMemory(into: Uint8Array, at: number): boolean;
  /** Keeps it open beyond this turn of the event loop, until `release`. */
  hold(): void;
  release(): void;
}

/** Of the whole process: it lives longer than any view of the home. */
const intactPlaces = new IntactPlaces();
let files = 0;
/** A file that was written into shortly before may be written into again within the same tick of the clock that stamps files. */
const REST_MS = 5000;

export class OpenCar implements OpenFile {
  readonly cid: string;
  /** Name of the peer whose file it is. */
  readonly peer: string;
  readonly path: string;
  readonly size: number;
  readonly fd: number;
  readonly #offsets: OpenOffsets;
  /** Counted up whenever the file is found changed. */
  #number = ++files;
  /** How the file looked when it got that number. */
  readonly #looks: FileLooks;
  /** Null until it is known how the file can be read. */
  #memoryRead: MemoryRead | undefined | null = null;
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
    this.#looks = new FileLooks(fd);
    this.size = size;
    this.#offsets = offsets;
  }

  get descriptors(): number {
    return this.#offsets.isFile ? 2 : 1;
  }

  get isOpen(): boolean {
    return !this.#isLeft;
  }

  /** Somebody still reads it: if its file is removed, it cannot be opened again. */
  get isHeld(): boolean {
    return this.#holders > 0;
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

  isIntact(at: number, bytes: Uint8Array, digest: Uint8Array): boolean {
    if (this.isKnown(at, digest)) return true;
    const isIntact = hashesTo(bytes, digest);
    const { changedAt } = this.#looks;
    if (isIntact && changedAt !== undefined && Date.now() - changedAt > REST_MS)
      intactPlaces.note(digest, this.#number, at, performance.now() / 1000);
    return isIntact;
  }

  isKnown(at: number, digest: Uint8Array): boolean {
    // Looked at after the bytes were read: whoever has changed them before has changed the file's times before, too.
    if (!this.#looks.look()) this.#number = ++files;
    if (this.#looks.changedAt === undefined) return false;
    return intactPlaces.has(digest, this.#number, at, performance.now() / 1000);
  }

  fromMemory(into: Uint8Array, at: number): boolean {
    if (this.#memoryRead === null) this.#memoryRead = memoryReadOf(this.fd);
    if (this.#memoryRead === undefined) return false;
    if (this.#memoryRead(into, at) === into.length) return true;
    this.#number = ++files;
    return false;
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
    return this.fromMemory(window, at) ? window.length : (await readAsync(this.fd, window, 0, window.length, at)).bytesRead;
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
