/**
 * One sorted, immutable list of blocks on disk: which shard holds each.
 *
 *   pages    4096 bytes: 170 records of 24 bytes (20 bytes of digest, u32 shard), sorted by digest; zero padding; u32 crc32
 *   fence    u32 per page: the first four bytes of its first digest, big-endian value
 *   footer   u32 records, u32 pages, u32 crc32 of the fence, 4 bytes magic
 */
import { closeSync, fstatSync, openSync, readSync, renameSync, statSync, unlinkSync, writeSync } from 'node:fs';
import { crc32 } from 'node:zlib';
import { flushSync } from '../../core/durable-files.ts';
import { ShardctlError } from '../../core/errors.ts';
import { BlockFilter } from './filter.ts';
import { comparePrefixes, PREFIX_BYTES, RECORD_BYTES, shardAt } from './records.ts';

const PAGE_BYTES = 4096;
/** Of a page without its checksum. */
const PAGE_DATA_BYTES = PAGE_BYTES - 4;
const PAGE_RECORDS = Math.floor(PAGE_DATA_BYTES / RECORD_BYTES);
const FOOTER_BYTES = 16;
const MAGIC = 0x6e75_7273;
const PAGES_PER_READ = 64;
const NO_PREFIX = Buffer.alloc(PREFIX_BYTES);

export class Segment {
  readonly path: string;
  readonly records: number;
  readonly #fd: number;
  readonly #inode: number;
  readonly #fence: Uint32Array;
  readonly #page = Buffer.alloc(PAGE_BYTES);
  #pageNumber = -1;
  #filter: BlockFilter | undefined;

  /** @throws ShardctlError `DAMAGE` when the file is not a whole segment; its pages are looked at when they are needed */
  constructor(path: string) {
    this.path = path;
    this.#fd = openSync(path, 'r');
    const { size, ino } = fstatSync(this.#fd);
    this.#inode = ino;
    const footer = Buffer.alloc(FOOTER_BYTES);
    if (size >= FOOTER_BYTES) readSync(this.#fd, footer, 0, FOOTER_BYTES, size - FOOTER_BYTES);
    const pages = footer.readUInt32LE(4);
    const fence = Buffer.from(new ArrayBuffer(pages <= size / PAGE_BYTES ? pages * 4 : 0));
    readSync(this.#fd, fence, 0, fence.length, pages * PAGE_BYTES);
    const isWhole = footer.readUInt32LE(12) === MAGIC && size === pages * PAGE_BYTES + pages * 4 + FOOTER_BYTES;
    const isFilled = Math.ceil(footer.readUInt32LE(0) / PAGE_RECORDS) === pages;
    if (!isWhole || !isFilled || crc32(fence) !== footer.readUInt32LE(8)) {
      closeSync(this.#fd);
      throw damaged(path, 'it is torn');
    }
    this.records = footer.readUInt32LE(0);
    this.#fence = new Uint32Array(fence.buffer, fence.byteOffset, pages);
  }

  /** Whether the file at the path is this one: another process may have removed it, and made another one of its name. */
  isAt(path: string): boolean {
    return statSync(path, { throwIfNoEntry: false })?.ino === this.#inode;
  }

  /** Checks every page. @throws ShardctlError `DAMAGE` when one is not as it was written */
  check(): void {
    const chunks = this.chunks();
    while (chunks.next().done !== true);
  }

  /** Puts a filter in front of the lookups. @param bitsPerBlock with fewer than four it would let nearly everything through */
  loadFilter(bitsPerBlock: number): void {
    if (bitsPerBlock < 4) return;
    const filter = new BlockFilter(this.records * bitsPerBlock);
    for (const chunk of this.chunks()) {
      for (let at = 0; at < chunk.length; at += RECORD_BYTES) filter.add(chunk, at);
    }
    this.#filter = filter;
  }

  /** The first `usable` shard that has the digest standing at `at`. Records of others are passed over: a crash may leave such. */
  get(digest: Uint8Array, at: number, usable: (shard: number) => boolean): number | undefined {
    if (this.#filter?.mayHave(digest, at) === false) return undefined;
    const key = readKey(digest, at);
    // The records of one digest may go over any number of pages, and other digests with the same key may stand before and after them.
    for (let page = this.#firstPageFor(key); page < this.#fence.length && this.#keyOf(page) <= key; page++) {
      this.#load(page);
      const count = this.#recordsOn(page);
      for (let record = this.#lowerBound(count, digest, at); record < count; record++) {
        if (comparePrefixes(this.#page, record * RECORD_BYTES, digest, at) !== 0) return undefined;
        const shard = shardAt(this.#page, record * RECORD_BYTES);
        if (usable(shard)) return shard;
      }
    }
    return undefined;
  }

  /** All records in order, some pages at a time; each view is valid until the next step. */
  *chunks(): Generator<Buffer> {
    const pages = this.#fence.length;
    const bytes = Buffer.alloc(PAGES_PER_READ * PAGE_BYTES);
    const out = Buffer.alloc(PAGES_PER_READ * PAGE_RECORDS * RECORD_BYTES);
    for (let first = 0; first < pages; first += PAGES_PER_READ) {
      const count = Math.min(PAGES_PER_READ, pages - first);
      readSync(this.#fd, bytes, 0, count * PAGE_BYTES, first * PAGE_BYTES);
      let length = 0;
      for (let page = 0; page < count; page++) {
        this.#check(bytes.subarray(page * PAGE_BYTES, (page + 1) * PAGE_BYTES), first + page);
        const used = this.#recordsOn(first + page) * RECORD_BYTES;
        bytes.copy(out, length, page * PAGE_BYTES, page * PAGE_BYTES + used);
        length += used;
      }
      yield out.subarray(0, length);
    }
  }

  close(): void {
    closeSync(this.#fd);
  }

  #recordsOn(page: number): number {
    return Math.min(PAGE_RECORDS, this.records - page * PAGE_RECORDS);
  }

  /** Key of a page's first record. Never undefined: callers stay below the number of pages. */
  #keyOf(page: number): number {
    return this.#fence[page] as number;
  }

  /** The last page whose first record is before the key, because its last records may have the key; the first page, if there is no such page. */
  #firstPageFor(key: number): number {
    let low = 0;
    let high = this.#fence.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#keyOf(middle) < key) low = middle + 1;
      else high = middle;
    }
    return Math.max(0, low - 1);
  }

  /** Of the `count` records on the loaded page, the position of the first that is not before the digest. */
  #lowerBound(count: number, digest: Uint8Array, at: number): number {
    let low = 0;
    let high = count;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (comparePrefixes(this.#page, middle * RECORD_BYTES, digest, at) < 0) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #load(page: number): void {
    if (this.#pageNumber === page) return;
    this.#pageNumber = -1;
    readSync(this.#fd, this.#page, 0, PAGE_BYTES, page * PAGE_BYTES);
    this.#check(this.#page, page);
    this.#pageNumber = page;
  }

  /** A wrong record would name the wrong shard for a block, or hide where a block is. */
  #check(page: Buffer, number: number): void {
    if (!isSound(page)) throw damaged(this.path, `page ${number} has a wrong checksum`);
    if (readKey(page, 0) !== this.#fence[number]) throw damaged(this.path, `page ${number} stands in the place of another`);
    // The footer's count of records has no checksum: it must agree with where the padding of the last page begins.
    if (number === this.#fence.length - 1 && recordsOf(page) !== this.#recordsOn(number)) throw damaged(this.path, 'its count is wrong');
  }
}

/** The records on each sound page of a damaged segment, in order. Each view is valid until the next step. */
export function* soundPages(path: string): Generator<Buffer> {
  const fd = openSync(path, 'r');
  try {
    const page = Buffer.alloc(PAGE_BYTES);
    const last = Buffer.alloc(PREFIX_BYTES);
    for (let at = 0; readSync(fd, page, 0, PAGE_BYTES, at) === PAGE_BYTES; at += PAGE_BYTES) {
      if (!isSound(page) || comparePrefixes(page, 0, last, 0) < 0) continue;
      const records = page.subarray(0, recordsOf(page) * RECORD_BYTES);
      records.copy(last, 0, records.length - RECORD_BYTES);
      yield records;
    }
  } finally {
    closeSync(fd);
  }
}

function isSound(page: Buffer): boolean {
  return crc32(page.subarray(0, PAGE_DATA_BYTES)) === page.readUInt32LE(PAGE_DATA_BYTES);
}

/** How many records stand before the padding: no digest begins with 160 zero bits. */
function recordsOf(page: Buffer): number {
  let count = PAGE_RECORDS;
  while (count > 1 && comparePrefixes(page, (count - 1) * RECORD_BYTES, NO_PREFIX, 0) === 0) count--;
  return count;
}

function damaged(path: string, what: string): ShardctlError {
  return new ShardctlError('DAMAGE', `the index is damaged: ${path}: ${what}`, {
    hint: 'run `shardctl repair`: it lists the blocks again from the shards themselves',
  });
}

/** Writes a segment from records that come in order. The file has its final name only after `finish` has made its contents durable. */
export class SegmentWriter {
  readonly path: string;
  readonly #fd: number;
  readonly #fence: number[] = [];
  readonly #buffer = Buffer.alloc(PAGES_PER_READ * PAGE_BYTES);
  #pagesBuffered = 0;
  #onPage = 0;
  #records = 0;

  /** @throws `EEXIST` when another run has begun to write a segment of this name */
  constructor(path: string) {
    this.path = path;
    this.#fd = openSync(`${path}.tmp`, 'wx');
  }

  /** Adds the record at `at`. */
  add(records: Buffer, at: number): void {
    if (this.#onPage === 0) this.#fence.push(readKey(records, at));
    records.copy(this.#buffer, this.#pagesBuffered * PAGE_BYTES + this.#onPage * RECORD_BYTES, at, at + RECORD_BYTES);
    this.#records++;
    if (++this.#onPage < PAGE_RECORDS) return;
    this.#onPage = 0;
    if (++this.#pagesBuffered === PAGES_PER_READ) this.#flush();
  }

  /** @returns false when nothing was added: then there is no segment */
  finish(): boolean {
    if (this.#records === 0) {
      this.abandon();
      return false;
    }
    if (this.#onPage > 0) this.#pagesBuffered++;
    this.#flush();
    const fence = Buffer.from(Uint32Array.from(this.#fence).buffer);
    const footer = Buffer.alloc(FOOTER_BYTES);
    footer.writeUInt32LE(this.#records, 0);
    footer.writeUInt32LE(this.#fence.length, 4);
    footer.writeUInt32LE(crc32(fence), 8);
    footer.writeUInt32LE(MAGIC, 12);
    this.#write(fence);
    this.#write(footer);
    flushSync(this.#fd);
    closeSync(this.#fd);
    renameSync(`${this.path}.tmp`, this.path);
    return true;
  }

  abandon(): void {
    closeSync(this.#fd);
    unlinkSync(`${this.path}.tmp`);
  }

  #flush(): void {
    const used = this.#buffer.subarray(0, this.#pagesBuffered * PAGE_BYTES);
    for (let end = PAGE_BYTES; end <= used.length; end += PAGE_BYTES) {
      used.writeUInt32LE(crc32(used.subarray(end - PAGE_BYTES, end - 4)), end - 4);
    }
    this.#write(used);
    used.fill(0);
    this.#pagesBuffered = 0;
    this.#onPage = 0;
  }

  #write(bytes: Buffer): void {
    for (let at = 0; at < bytes.length; ) at += writeSync(this.#fd, bytes, at);
  }
}

function readKey(bytes: Uint8Array, at: number): number {
  const high = ((bytes[at] as number) << 8) | (bytes[at + 1] as number);
  return high * 65536 + (((bytes[at + 2] as number) << 8) | (bytes[at + 3] as number));
}
