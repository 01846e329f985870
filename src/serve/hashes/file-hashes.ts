/**
 * Which file has which sha256, for files whose hash is not that of a block: of several leaves, or inside their node. An entry is made by
 * whoever has read such a file to its end, every block of it hashed; a root always has the same bytes, so no entry is ever out of date.
 *
 * They are kept in `<cache>/sha256-1`, one record behind the other, which every process of a server appends to and reads on when it misses
 * one. Not in LMDB: that maps its file, and a file that anybody may cut or delete would end the process. Holds 44 to 88 bytes a file.
 */
import { closeSync, existsSync, fstatSync, mkdirSync, openSync, readSync, statSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { DigestMap } from '../../core/digest-map.ts';
import { type BlockId, DAG_PB, DIGEST_BYTES } from '../../core/model.ts';
import { removeFileSync } from '../../core/remove-file.ts';

/** The hash, the digest of the root (a dag-pb node), and a CRC-32 of both. */
const RECORD_BYTES = 2 * DIGEST_BYTES + 4;
const READ_BYTES = 4096 * RECORD_BYTES;
/** More are not noted: they would take more than 90 MB. */
const MOST_FILES = 1_000_000;

export class FileHashes {
  readonly #dir: string | undefined;
  /** From the hash to the position of the root in `#roots`. */
  readonly #hashes = new DigestMap();
  readonly #roots = new DigestMap();
  #fd: number | undefined;
  #isAsked: boolean;
  /** Bytes of the file that were read. */
  #read = 0;

  /** @param dir made when it is needed; undefined, or where nothing can be written: kept in memory alone */
  constructor(dir: string | undefined) {
    this.#dir = dir;
    // Read when it is needed first.
    this.#isAsked = dir !== undefined && existsSync(pathIn(dir));
  }

  get size(): number {
    return this.#roots.size;
  }

  /** Whether no more hashes are noted: then it is no use to make any. */
  get isFull(): boolean {
    return this.size >= MOST_FILES;
  }

  /** Whether anybody has ever asked for a hash: else nobody needs to pay for them. */
  get isInUse(): boolean {
    return this.#isAsked || this.size > 0;
  }

  /** The root of a file with this sha256, if one is known. */
  rootOf(hash: Uint8Array): BlockId | undefined {
    this.#isAsked = true;
    const known = this.#hashes.get(hash) ?? (this.#readOn() ? this.#hashes.get(hash) : undefined);
    if (known === undefined) return undefined;
    return { codec: DAG_PB, digest: Uint8Array.from(this.#roots.digests().subarray(known * DIGEST_BYTES, (known + 1) * DIGEST_BYTES)) };
  }

  /** Whether the hash of the file with this root is known. */
  isHashed(root: Uint8Array): boolean {
    return this.#roots.get(root) !== undefined || (this.#readOn() && this.#roots.get(root) !== undefined);
  }

  /** @param hash of all bytes of the file, each block of which was hashed @param root digest of its node */
  add(hash: Uint8Array, root: Uint8Array): void {
    if (!this.#note(hash, root)) return;
    const record = Buffer.alloc(RECORD_BYTES);
    record.set(hash, 0);
    record.set(root, DIGEST_BYTES);
    record.writeUInt32LE(crc32(record.subarray(0, 2 * DIGEST_BYTES)), 2 * DIGEST_BYTES);
    try {
      this.#open(true);
      // After a crash, or on a full disk, the last record may be cut, and what is written behind it would be in the wrong place.
      if (this.#fd !== undefined && fstatSync(this.#fd).size % RECORD_BYTES !== 0) {
        this.#startAnew();
        this.#open(true);
      }
      // In one write to the end of the file, so that records of several processes do not mix.
      if (this.#fd !== undefined) writeSync(this.#fd, record);
    } catch {
      // A full disk, or a home that is read-only: it stays in memory.
    }
  }

  close(): void {
    if (this.#fd !== undefined) closeSync(this.#fd);
    this.#fd = undefined;
  }

  /** @returns false when there is nothing to write down */
  #note(hash: Uint8Array, root: Uint8Array): boolean {
    if (this.isFull || !this.#roots.add(root, 0, 0)) return false;
    // Of several files with the same bytes the one that was met last: an older one may be forgotten before it.
    this.#hashes.set(hash, 0, this.#roots.size - 1);
    return true;
  }

  /** Reads what was appended since the last time. @returns whether there was anything */
  #readOn(): boolean {
    try {
      this.#open(false);
      if (this.#fd === undefined || fstatSync(this.#fd).size < this.#read + RECORD_BYTES) return false;
      const records = Buffer.allocUnsafe(READ_BYTES);
      for (let got = this.#readAt(records); got >= RECORD_BYTES; got = this.#readAt(records)) {
        const whole = got - (got % RECORD_BYTES);
        for (let at = 0; at < whole; at += RECORD_BYTES) {
          if (this.#take(records.subarray(at, at + RECORD_BYTES))) continue;
          this.#startAnew();
          return true;
        }
        this.#read += whole;
      }
      return true;
    } catch {
      return false;
    }
  }

  #readAt(into: Buffer): number {
    return this.#fd === undefined ? 0 : readSync(this.#fd, into, 0, into.length, this.#read);
  }

  /** @returns false when the record is damaged */
  #take(record: Buffer): boolean {
    if (crc32(record.subarray(0, 2 * DIGEST_BYTES)) !== record.readUInt32LE(2 * DIGEST_BYTES)) return false;
    this.#note(record.subarray(0, DIGEST_BYTES), record.subarray(DIGEST_BYTES, 2 * DIGEST_BYTES));
    return true;
  }

  #startAnew(): void {
    this.close();
    if (this.#dir !== undefined) removeFileSync(pathIn(this.#dir));
  }

  /** Opens the file that is there now: somebody may have deleted the one that was. @param isToWrite makes it if there is none */
  #open(isToWrite: boolean): void {
    if (this.#dir === undefined) return;
    const there = statSync(pathIn(this.#dir), { throwIfNoEntry: false });
    if (this.#fd !== undefined && there?.ino === fstatSync(this.#fd).ino) return;
    this.close();
    this.#read = 0;
    if (there === undefined && !isToWrite) return;
    if (isToWrite) mkdirSync(this.#dir, { recursive: true, mode: 0o700 });
    try {
      this.#fd = openSync(pathIn(this.#dir), 'a+', 0o600);
    } catch {
      // In a home that is read-only, others may have filled it.
      if (there !== undefined) this.#fd = openSync(pathIn(this.#dir), 'r');
    }
  }
}

function pathIn(dir: string): string {
  return join(dir, 'sha256-1');
}
