/** Stat data of entries as columns: a million entries as objects would be hundreds of megabytes of heap. */

/** The stat data of a directory's entries, in the order of their names. */
export interface StatColumns {
  readonly kinds: Uint8Array;
  /** Permission bits, 07777. */
  readonly modes: Uint16Array;
  readonly sizes: Float64Array;
  /** Nanoseconds since 1970, modulo 2^64: enough to compare. */
  readonly mtimes: BigInt64Array;
  readonly ctimes: BigInt64Array;
  readonly inodes: BigUint64Array;
}

/** Bytes of one entry's stat data. */
const COLUMN_BYTES = 35;

export function newColumns(count: number): StatColumns {
  // One allocation instead of six, because most directories are small.
  const memory = new ArrayBuffer(count * COLUMN_BYTES);
  return {
    sizes: new Float64Array(memory, 0, count),
    mtimes: new BigInt64Array(memory, count * 8, count),
    ctimes: new BigInt64Array(memory, count * 16, count),
    inodes: new BigUint64Array(memory, count * 24, count),
    modes: new Uint16Array(memory, count * 32, count),
    kinds: new Uint8Array(memory, count * 34, count),
  };
}

/** The stat data that are compared, without the kind. */
type ComparedColumns = Pick<StatColumns, 'modes' | 'sizes' | 'mtimes' | 'ctimes' | 'inodes'>;

/** Copies the stat data of entry `i` to position `at` of other columns. The casts stand here once: both positions are within their columns. */
export function copyStat(from: ComparedColumns, i: number, to: ComparedColumns, at: number): void {
  to.modes[at] = from.modes[i] as number;
  to.sizes[at] = from.sizes[i] as number;
  to.mtimes[at] = from.mtimes[i] as bigint;
  to.ctimes[at] = from.ctimes[i] as bigint;
  to.inodes[at] = from.inodes[i] as bigint;
}
