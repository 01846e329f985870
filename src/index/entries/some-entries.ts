/**
 * A few directories of a snapshot, found by their paths, each with what the parent's entries say of it: for a run that was told what has
 * changed, and looks at nothing else.
 */
import type { ByteString } from '../../core/model.ts';
import { keyOf } from '../../core/path-bytes.ts';
import type { ColdRecord } from './cold-file.ts';
import type { EntriesHeader } from './format.ts';
import type { EntriesRecord } from './hot-file.ts';
import type { LayerLookup } from './layer-lookup.ts';
import type { Replaced } from './patch-note.ts';

/** The parent's entries, as the pipeline reads them: in walk order, all of them or some. */
export interface ParentEntries {
  readonly header: EntriesHeader;
  /** Position in walk order, among all, of the next record; beyond every position after the last. */
  readonly ordinal: number;
  peek(): ByteString | undefined;
  next(): EntriesRecord | undefined;
  skip(): unknown;
  cold(ordinal: number, count: number): ColdRecord;
  another(): ParentEntries;
}

/**
 * Finds single directories of a snapshot: in the patch first, then in the base, unless they are replaced there. The `ordinal` of what it
 * finds names a record and no position: those of the patch are numbered after those of the base.
 */
export class EntriesLookup {
  readonly #base: LayerLookup;
  readonly #patch: LayerLookup | undefined;
  readonly #replaced: ReadonlySet<number>;

  constructor(base: LayerLookup, patch: LayerLookup | undefined, replaced: readonly Replaced[]) {
    this.#base = base;
    this.#patch = patch;
    this.#replaced = new Set(replaced.map(({ ordinal }) => ordinal));
  }

  get header(): EntriesHeader {
    return (this.#patch ?? this.#base).entries.header;
  }

  /** The record of a directory, a copy; undefined when the snapshot has no such directory. */
  find(path: ByteString): EntriesRecord | undefined {
    const patched = this.#patch?.find(path);
    if (patched !== undefined) return this.#afterBase(patched);
    const record = this.#base.find(path);
    return record === undefined || this.#replaced.has(record.ordinal) ? undefined : record;
  }

  /** The records of a directory and of all below it, in walk order. */
  *subtree(path: ByteString): Generator<EntriesRecord, void, void> {
    const patched = this.#patch?.subtree(path);
    let next = patched?.next().value ?? undefined;
    for (const record of this.#base.subtree(path)) {
      if (this.#replaced.has(record.ordinal)) continue;
      for (; next !== undefined && keyOf(next.path) < keyOf(record.path); next = patched?.next().value ?? undefined)
        yield this.#afterBase(next);
      yield record;
    }
    for (; next !== undefined; next = patched?.next().value ?? undefined) yield this.#afterBase(next);
  }

  /** @param ordinal of a record that was found */
  cold(ordinal: number, count: number): ColdRecord {
    const { directories } = this.#base.entries;
    if (ordinal < directories || this.#patch === undefined) return this.#base.entries.cold(ordinal, count);
    return this.#patch.entries.cold(ordinal - directories, count);
  }

  /** Which records of the base, and which of the patch, these are. */
  inLayers(records: readonly EntriesRecord[]): { readonly base: Replaced[]; readonly patch: Replaced[] } {
    const { directories } = this.#base.entries;
    const [base, patch]: [Replaced[], Replaced[]] = [[], []];
    for (const { ordinal, path } of records) {
      if (ordinal < directories) base.push({ ordinal, path });
      else patch.push({ ordinal: ordinal - directories, path });
    }
    return { base, patch };
  }

  #afterBase(record: EntriesRecord): EntriesRecord {
    return { ...record, ordinal: this.#base.entries.directories + record.ordinal };
  }
}

/** Some records of the parent's entries, as if there were no others. */
export class SomeEntries implements ParentEntries {
  readonly #all: EntriesLookup;
  readonly records: readonly EntriesRecord[];
  #next = 0;

  /** @param records in walk order, each once */
  constructor(all: EntriesLookup, records: readonly EntriesRecord[]) {
    this.#all = all;
    this.records = records;
  }

  another(): SomeEntries {
    return new SomeEntries(this.#all, this.records);
  }

  get header(): EntriesHeader {
    return this.#all.header;
  }

  get ordinal(): number {
    return this.records[this.#next]?.ordinal ?? Number.POSITIVE_INFINITY;
  }

  peek(): ByteString | undefined {
    return this.records[this.#next]?.path;
  }

  next(): EntriesRecord | undefined {
    return this.records[this.#next++];
  }

  skip(): void {
    this.#next++;
  }

  cold(ordinal: number, count: number): ColdRecord {
    return this.#all.cold(ordinal, count);
  }
}
