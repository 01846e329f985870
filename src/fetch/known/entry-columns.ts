/** Entries of directories in columns: 89 bytes and a name each, and no object for the garbage collector to walk, however many there are. */
import { type BlockId, type ByteString, type Codec, DAG_PB, DIGEST_BYTES, DIRECTORY, type EntryKind, FILE, RAW } from '../../core/model.ts';
import { PERMISSION_BITS } from '../../dag/unixfs-writer.ts';
import type { Look } from '../../source/look.ts';
import { kindOf } from '../../update/scan/kinds.ts';

const FIRST_ROWS = 256;
/** In `doubles`, for each row: size, or the permissions of a directory, and the seconds of mtime and ctime. */
export const DOUBLES = 3;
/** In `words`, for each row: the nanoseconds of mtime and ctime, and the halves of the inode number. */
export const WORDS = 4;
const IS_RAW = 0x80;

export interface Columns {
  readonly doubles: Float64Array;
  /** Where the name of each row ends in `names`; it begins where the one before ends. */
  readonly nameEnds: Float64Array;
  readonly words: Uint32Array;
  readonly digests: Uint8Array;
  /** Kind of the entry, and whether its root is a raw block. */
  readonly kinds: Uint8Array;
  readonly names: Buffer;
}

export class EntryColumns {
  count: number;
  #columns: Columns;

  /** @param columns of `count` rows; empty ones that grow, when there are none */
  constructor(columns?: Columns) {
    this.count = columns?.kinds.length ?? 0;
    this.#columns = columns ?? emptyColumns(FIRST_ROWS, FIRST_ROWS * 32);
  }

  /** Of all rows, without the room behind them. */
  get columns(): Columns {
    const { count } = this;
    const { doubles, nameEnds, words, digests, kinds, names } = this.#columns;
    return {
      doubles: doubles.subarray(0, count * DOUBLES),
      nameEnds: nameEnds.subarray(0, count),
      words: words.subarray(0, count * WORDS),
      digests: digests.subarray(0, count * DIGEST_BYTES),
      kinds: kinds.subarray(0, count),
      names: names.subarray(0, this.nameEnd(count - 1)),
    };
  }

  get names(): Buffer {
    return this.#columns.names;
  }

  /** Where the name of this row ends in `names`; 0 for row -1. */
  nameEnd(row: number): number {
    return row < 0 ? 0 : (this.#columns.nameEnds[row] as number);
  }

  nameAt(row: number): ByteString {
    return this.#columns.names.toString('latin1', this.nameEnd(row - 1), this.nameEnd(row));
  }

  kindAt(row: number): EntryKind {
    return ((this.#columns.kinds[row] as number) & ~IS_RAW) as EntryKind;
  }

  codecAt(row: number): Codec {
    return ((this.#columns.kinds[row] as number) & IS_RAW) === 0 ? DAG_PB : RAW;
  }

  /** A view. */
  digestAt(row: number): Uint8Array {
    return this.#columns.digests.subarray(row * DIGEST_BYTES, (row + 1) * DIGEST_BYTES);
  }

  hasRoot(row: number, { codec, digest }: BlockId): boolean {
    const { digests } = this.#columns;
    for (let i = 0, at = row * DIGEST_BYTES; i < DIGEST_BYTES; i++, at++) if (digests[at] !== digest[i]) return false;
    return this.codecAt(row) === codec;
  }

  /** Whether a file or symlink is as it was noted. A directory: whether it has that mode, and nothing was made, renamed or deleted in it since. */
  isAs(row: number, look: Look): boolean {
    const { doubles, words } = this.#columns;
    const [double, word] = [row * DOUBLES, row * WORDS];
    const kind = this.kindAt(row);
    if (kindOf(look.mode) !== kind) return false;
    if (doubles[double + 1] !== look.mtimeSeconds || words[word] !== look.mtimeNanoseconds) return false;
    if (kind === DIRECTORY) return doubles[double] === (look.mode & PERMISSION_BITS);
    return (
      doubles[double] === look.size &&
      doubles[double + 2] === look.ctimeSeconds &&
      words[word + 1] === look.ctimeNanoseconds &&
      words[word + 2] === look.inodeLow &&
      words[word + 3] === look.inodeHigh
    );
  }

  /** @param look what was seen of it; nothing but files, symlinks and directories */
  add(name: ByteString, { codec, digest }: BlockId, look: Look): void {
    this.#reserve(1, name.length);
    const { doubles, words, digests, kinds, nameEnds, names } = this.#columns;
    const row = this.count++;
    const kind = kindOf(look.mode) ?? FILE;
    doubles.set([kind === DIRECTORY ? look.mode & PERMISSION_BITS : look.size, look.mtimeSeconds, look.ctimeSeconds], row * DOUBLES);
    words.set([look.mtimeNanoseconds, look.ctimeNanoseconds, look.inodeLow, look.inodeHigh], row * WORDS);
    digests.set(digest, row * DIGEST_BYTES);
    kinds[row] = kind | (codec === RAW ? IS_RAW : 0);
    const at = this.nameEnd(row - 1);
    nameEnds[row] = at + names.write(name, at, 'latin1');
  }

  /** Adds rows of others, from `first` to before `end`. */
  addFrom(others: EntryColumns, first: number, end: number): void {
    const [from, to] = [others.nameEnd(first - 1), others.nameEnd(end - 1)];
    this.#reserve(end - first, to - from);
    const [mine, their] = [this.#columns, others.#columns];
    const { count } = this;
    const at = this.nameEnd(count - 1);
    mine.doubles.set(their.doubles.subarray(first * DOUBLES, end * DOUBLES), count * DOUBLES);
    mine.words.set(their.words.subarray(first * WORDS, end * WORDS), count * WORDS);
    mine.digests.set(their.digests.subarray(first * DIGEST_BYTES, end * DIGEST_BYTES), count * DIGEST_BYTES);
    mine.kinds.set(their.kinds.subarray(first, end), count);
    mine.names.set(their.names.subarray(from, to), at);
    for (let row = first; row < end; row++) mine.nameEnds[count + row - first] = (their.nameEnds[row] as number) - from + at;
    this.count += end - first;
  }

  #reserve(rows: number, nameBytes: number): void {
    const { kinds, names } = this.#columns;
    const [mostRows, mostBytes] = [this.count + rows, this.nameEnd(this.count - 1) + nameBytes];
    if (mostRows <= kinds.length && mostBytes <= names.length) return;
    const old = this.columns;
    const larger = emptyColumns(Math.max(mostRows, kinds.length * 2), Math.max(mostBytes, names.length * 2));
    for (const column of ['doubles', 'nameEnds', 'words', 'digests', 'kinds', 'names'] as const) larger[column].set(old[column]);
    this.#columns = larger;
  }
}

function emptyColumns(rows: number, nameBytes: number): Columns {
  return {
    doubles: new Float64Array(rows * DOUBLES),
    nameEnds: new Float64Array(rows),
    words: new Uint32Array(rows * WORDS),
    digests: new Uint8Array(rows * DIGEST_BYTES),
    kinds: new Uint8Array(rows),
    names: Buffer.allocUnsafeSlow(nameBytes),
  };
}
