/** The parent's records, advanced in step with the walk. */
import type { ByteString } from '../../core/model.ts';
import { keyOf } from '../../core/path-bytes.ts';
import type { EntriesRecord } from '../../index/entries/hot-file.ts';
import type { ParentEntries } from '../../index/entries/some-entries.ts';

const SLASH = 0x2f;

export class Cursor {
  readonly #base: ParentEntries | undefined;
  /** Path of the next record. */
  #path: ByteString | undefined;

  constructor(base: ParentEntries | undefined) {
    this.#base = base;
    this.#path = base?.peek();
  }

  /** Whether the next record comes before a directory with this key. */
  isBefore(key: string): boolean {
    return this.#path !== undefined && keyOf(this.#path) < key;
  }

  /** Whether the next record comes before the one with this position. */
  isBeforeOrdinal(ordinal: number): boolean {
    return this.#base !== undefined && this.#base.ordinal < ordinal;
  }

  /** Whether the next record is somewhere below this directory. */
  isBelow(path: ByteString): boolean {
    const next = this.#path;
    if (next === undefined) return false;
    return path === '' || (next.length > path.length && next.charCodeAt(path.length) === SLASH && next.startsWith(path));
  }

  /** The record of this directory, if it is the next one. */
  take(path: ByteString): EntriesRecord | undefined {
    return this.#path === path ? this.advance() : undefined;
  }

  /** The next record; its columns are valid until the next but one is asked for. */
  advance(): EntriesRecord | undefined {
    const record = this.#base?.next();
    this.#path = this.#base?.peek();
    return record;
  }

  /** Passes over records that somebody else has taken care of. */
  skip(records: number): void {
    for (let i = 0; i < records; i++) this.#base?.skip();
    this.#path = this.#base?.peek();
  }
}
