/**
 * Checks LMDB's file before LMDB maps it, because LMDB trusts what it maps: a file that was cut or overwritten ends the process with
 * SIGBUS or SIGSEGV instead of an error. Checked are the meta pages, the branch pages, and whether all pages that they name are in the
 * file; in a large file that is one page in a hundred.
 *
 * The layout is that of LMDB's data version 2 (lmdb-js 3): a page has a header of 24 bytes: u64 number, u64 transaction, u16 pad,
 * u16 flags, u16 lower, u16 upper; then u16 offsets of its nodes, counted from the end of the header.
 */
import { closeSync, existsSync, fstatSync, openSync, readdirSync, readSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { errnoOf, ShardctlError } from '../../core/errors.ts';
import { howToMake } from './how-to-make.ts';

const MAGIC = 0xbeefc0de;
const DATA_VERSION = 2;
const PAGE_HEADER_BYTES = 24;
const FLAGS_AT = 18;
const LOWER_AT = 20;
/** Flags of pages. */
const BRANCH = 1;
const LEAF = 2;
const META = 8;
/** Of a meta page: the records of its two trees, the number of the last page, the transaction that wrote it. */
const META_BYTES = 168;
const FREE_TREE_AT = 48;
const TABLES_TREE_AT = 96;
const LAST_PAGE_AT = 144;
const TRANSACTION_AT = 152;
const TREE_BYTES = 48;
/** More levels than any tree of the tables has. */
const MAX_LEVELS = 16;
const NODE_HEADER_BYTES = 8;
/** Flags of a leaf's nodes. ELSEWHERE: the data are on pages of their own. SUBTREE: the data are the record of a tree. */
const ELSEWHERE = 1;
const SUBTREE = 2;
/** Up to this size every page of every tree is checked. */
const SMALL_BYTES = 4 * 1024 * 1024;

/** @param dir of the index @throws ShardctlError `DAMAGE` */
export function assertSound(path: string, dir: string): void {
  let fd: number;
  try {
    fd = openSync(path, 'r');
  } catch (error) {
    // A new index.
    if (errnoOf(error) === 'ENOENT') return;
    throw error;
  }
  try {
    const problem = new TablesFile(fd).problem(hasBlocks(dir));
    if (problem !== undefined) throw damagedTables(path, dir, problem);
  } finally {
    closeSync(fd);
  }
}

/** Whether the index was ever written to. */
function hasBlocks(dir: string): boolean {
  const blocks = join(dir, 'blocks');
  return existsSync(blocks) && readdirSync(blocks).some((name) => /^\d+\.run/.test(name));
}

export function damagedTables(path: string, dir: string, problem: string): ShardctlError {
  return new ShardctlError('DAMAGE', `the index is damaged: ${path} ${problem}`, {
    hint: `move ${dir} away, then run \`shardctl recover NAME\` for each name in ${join(dirname(dir), 'heads')}`,
  });
}

/** The run that makes the index, `add` or `recover`, has died, or is not that far. */
export function notMade(dir: string): ShardctlError {
  return new ShardctlError('NOT_FOUND', `there is no index yet at ${dir}: the run that makes it has died, or is not that far`, {
    hint: howToMake(dir),
  });
}

class TablesFile {
  readonly #fd: number;
  #size = 0;
  #pageBytes = 4096;
  /** Check leaves, too: in a small file, and in one that is shorter than its meta page says, which is no damage if the missing pages are free. */
  #thorough = true;

  constructor(fd: number) {
    this.#fd = fd;
  }

  /** @param isUsed whether the index has blocks: if not, an empty file comes from a first run that died, and is no damage */
  problem(isUsed: boolean): string | undefined {
    if (fstatSync(this.#fd).size === 0) return isUsed ? 'is empty' : undefined;
    // Another run may be writing, and use pages for something else while they are checked here. The transaction's number tells: then check again.
    for (;;) {
      const before = this.#transaction();
      const problem = this.#anyProblem();
      if (problem === undefined || this.#transaction() === before) return problem;
    }
  }

  /** Number of the newest transaction. */
  #transaction(): bigint {
    const [first = 0n, second = 0n] = [0, this.#pageBytes].map((at) => this.#meta(at)?.readBigUInt64LE(TRANSACTION_AT));
    return first > second ? first : second;
  }

  #anyProblem(): string | undefined {
    this.#size = fstatSync(this.#fd).size;
    const first = this.#meta(0);
    if (first === undefined) return 'does not begin as a table file';
    this.#pageBytes = first.readUInt32LE(FREE_TREE_AT);
    if (this.#pageBytes < 512 || this.#pageBytes > 65536) return 'does not begin as a table file';
    const second = this.#meta(this.#pageBytes);
    if (second === undefined) return 'is cut or overwritten on its second page';
    const newest = first.readBigUInt64LE(TRANSACTION_AT) > second.readBigUInt64LE(TRANSACTION_AT) ? first : second;
    this.#thorough = this.#size <= SMALL_BYTES || this.#size < (Number(newest.readBigUInt64LE(LAST_PAGE_AT)) + 1) * this.#pageBytes;
    return this.#treeProblem(newest, FREE_TREE_AT) ?? this.#treeProblem(newest, TABLES_TREE_AT);
  }

  #meta(position: number): Buffer | undefined {
    const meta = this.#read(position, META_BYTES);
    const isMeta = meta.length === META_BYTES && meta.readUInt16LE(FLAGS_AT) === META && meta.readUInt32LE(24) === MAGIC;
    return isMeta && meta.readUInt16LE(28) === DATA_VERSION ? meta : undefined;
  }

  /** @param at where the record of the tree stands: levels after 6 bytes, and its root after 40 */
  #treeProblem(bytes: Buffer, at: number): string | undefined {
    const levels = bytes.readUInt16LE(at + 6);
    if (levels > MAX_LEVELS) return 'is overwritten: it names an impossible tree';
    return levels === 0 ? undefined : this.#pageProblem(bytes.readBigUInt64LE(at + 40), levels);
  }

  #pageProblem(number: bigint, levels: number): string | undefined {
    if (!this.#has(number)) return `is cut: page ${number} is missing`;
    if (levels === 1 && !this.#thorough) return undefined;
    const page = this.#read(Number(number) * this.#pageBytes, this.#pageBytes);
    const overwritten = `is overwritten: page ${number} is not what it must be`;
    if (page.readBigUInt64LE(0) !== number || page.readUInt16LE(FLAGS_AT) !== (levels === 1 ? LEAF : BRANCH)) return overwritten;
    const count = page.readUInt16LE(LOWER_AT) >> 1;
    for (let i = 0; i < count; i++) {
      const at =
        PAGE_HEADER_BYTES + (PAGE_HEADER_BYTES + 2 * i + 2 <= page.length ? page.readUInt16LE(PAGE_HEADER_BYTES + 2 * i) : page.length);
      if (at + NODE_HEADER_BYTES > page.length) return overwritten;
      const problem = levels === 1 ? this.#leafProblem(page, at) : this.#pageProblem(childOf(page, at), levels - 1);
      if (problem !== undefined) return problem;
    }
    return undefined;
  }

  /** A node: u32 length of the data, u16 flags, u16 length of the key, the key, the data. */
  #leafProblem(page: Buffer, at: number): string | undefined {
    const flags = page.readUInt16LE(at + 4);
    const dataAt = at + NODE_HEADER_BYTES + page.readUInt16LE(at + 6);
    const bytes = (flags & ELSEWHERE) !== 0 ? 8 : page.readUInt32LE(at);
    if (dataAt + bytes > page.length) return 'is overwritten: a record crosses its page';
    if ((flags & ELSEWHERE) !== 0) return this.#has(page.readBigUInt64LE(dataAt)) ? undefined : 'is cut: a record is missing';
    return (flags & SUBTREE) !== 0 && bytes >= TREE_BYTES ? this.#treeProblem(page, dataAt) : undefined;
  }

  #has(number: bigint): boolean {
    return (number + 1n) * BigInt(this.#pageBytes) <= BigInt(this.#size);
  }

  #read(position: number, length: number): Buffer {
    const out = Buffer.alloc(length);
    return out.subarray(0, readSync(this.#fd, out, 0, length, position));
  }
}

/** The number of a page of the next level: three u16, the lowest first. */
function childOf(page: Buffer, at: number): bigint {
  return BigInt(page.readUIntLE(at, 6));
}
