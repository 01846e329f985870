/** The parent's records, advanced in step with the walk. */
import type { EntriesReader, EntriesRecord } from '../index-store/entries-reader.ts';
import type { ByteString } from '../model.ts';

const SLASH = 0x2f;

export class Cursor {
  readonly #base: EntriesReader | undefined;
  #record: EntriesRecord | undefined;

  constructor(base: EntriesReader | undefined) {
    this.#base = base;
    this.#record = base?.next();
  }

  /** Whether the next record comes before a directory with this key. */
  isBefore(key: string): boolean {
    return this.#record !== undefined && keyOf(this.#record.path) < key;
  }

  /** Whether the next record is somewhere below this directory. */
  isBelow(path: ByteString): boolean {
    const next = this.#record?.path;
    if (next === undefined) return false;
    return path === '' || (next.length > path.length && next.charCodeAt(path.length) === SLASH && next.startsWith(path));
  }

  /** The record of this directory, if it is the next one. */
  take(path: ByteString): EntriesRecord | undefined {
    return this.#record?.path === path ? this.advance() : undefined;
  }

  /** The next record; its columns are valid until the next but one is asked for. */
  advance(): EntriesRecord | undefined {
    const record = this.#record;
    this.#record = this.#base?.next();
    return record;
  }
}

/** Walk order compares these. */
export function keyOf(path: ByteString): string {
  return path === '' ? '' : `${path}/`;
}
