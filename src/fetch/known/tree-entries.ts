/** What OUT will have when the run is over: of each entry its root, and what is known of it on disk already. */
import { errnoOf } from '../../core/errors.ts';
import { type BlockId, type ByteString, DIRECTORY } from '../../core/model.ts';
import { joinBytes, partsOf } from '../../core/path-bytes.ts';
import { type Look, mtimeNsOf } from '../../source/look.ts';
import { kindOf } from '../../update/scan/kinds.ts';
import type { OutLooks } from '../out/out-looks.ts';
import { EntryColumns } from './entry-columns.ts';
import type { KnownDirectory, KnownEntries } from './known-entries.ts';

/** When, in nanoseconds since 1970, and what was not. */
export interface Published {
  readonly from: bigint;
  readonly to: bigint;
  /** Whether an entry was left behind, so that OUT has there what it had before. */
  readonly lacks: (path: ByteString) => boolean;
}

/** An entry that the last run did not leave there as it is. */
export interface NewEntry {
  readonly name: ByteString;
  readonly id: BlockId;
  /** As it was seen before its bytes were hashed; undefined when it is still to come. */
  readonly look: Look | undefined;
}

/** A directory: its entries in the order of their names, each a row of what is known, or a new one. */
interface Listing {
  readonly path: ByteString;
  readonly entries: readonly (number | NewEntry)[];
}

export class TreeEntries {
  readonly #known: KnownEntries;
  readonly #directories: (Listing | KnownDirectory)[] = [];
  #new = 0;
  #keptRows = 0;
  #found = 0;
  /** Names in the directory that was asked for last. */
  #last: { readonly path: ByteString; readonly names: ReadonlySet<ByteString> } | undefined;
  #byPath: ReadonlyMap<ByteString, Listing | KnownDirectory> | undefined;

  constructor(known: KnownEntries) {
    this.#known = known;
  }

  /** Entries that OUT has as they should be. */
  get kept(): number {
    return this.#keptRows + this.#found;
  }

  get isEmpty(): boolean {
    return this.#keptRows + this.#new === 0;
  }

  /** Nothing is new, and nothing of what the last run has put there is left out. */
  get isAsKnown(): boolean {
    return this.#new === 0 && this.#keptRows === this.#known.size;
  }

  /** A directory, all entries of which are as the last run has put them there; not those of the directories in it. */
  addKnown(directory: KnownDirectory): void {
    this.#directories.push(directory);
    this.#keptRows += directory.end - directory.first;
  }

  /** @param entries in the order of their names */
  add(path: ByteString, entries: readonly (number | NewEntry)[]): void {
    this.#directories.push({ path, entries });
    for (const entry of entries) {
      if (typeof entry === 'number') this.#keptRows++;
      else {
        this.#new++;
        if (entry.look !== undefined) this.#found++;
      }
    }
  }

  has(path: ByteString): boolean {
    const { above, name } = partsOf(path);
    if (this.#last?.path !== above) {
      this.#byPath ??= new Map(this.#directories.map((directory) => [directory.path, directory]));
      const directory = this.#byPath.get(above);
      this.#last = { path: above, names: new Set(directory === undefined ? [] : this.#namesIn(directory)) };
    }
    return this.#last.names.has(name);
  }

  /**
   * For the next run, when OUT has all of them.
   * @param published when, by the clock of OUT's file system: what somebody has written meanwhile is not noted as what was put there
   */
  columns(
    looks: OutLooks,
    published: Published,
  ): {
    readonly columns: EntryColumns;
    readonly directories: readonly { readonly path: ByteString; readonly first: number }[];
  } {
    const columns = new EntryColumns();
    const directories: { readonly path: ByteString; readonly first: number }[] = [];
    for (const directory of this.#directories) {
      const first = columns.count;
      if ('first' in directory) columns.addFrom(this.#known.columns, directory.first, directory.end);
      else {
        const seen = looksAt(directory, looks, published);
        // Somebody has taken an entry away or written into it, or it cannot be looked at: the next run looks for each entry of this directory.
        if (seen === undefined) continue;
        this.#addListing(directory, seen, columns);
      }
      directories.push({ path: directory.path, first });
    }
    return { columns, directories };
  }

  /** @param seen what each new entry is now, in their order */
  #addListing({ entries }: Listing, seen: readonly Look[], columns: EntryColumns): void {
    let next = 0;
    for (let at = 0; at < entries.length; at++) {
      const entry = entries[at] as number | NewEntry;
      if (typeof entry === 'number') {
        let end = at + 1;
        while (end < entries.length && entries[end] === entry + end - at) end++;
        columns.addFrom(this.#known.columns, entry, entry + end - at);
        at = end - 1;
      } else columns.add(entry.name, entry.id, seen[next++] as Look);
    }
  }

  *#namesIn(directory: Listing | KnownDirectory): Generator<ByteString, void, void> {
    const { columns } = this.#known;
    if ('first' in directory) for (let row = directory.first; row < directory.end; row++) yield columns.nameAt(row);
    else for (const entry of directory.entries) yield typeof entry === 'number' ? columns.nameAt(entry) : entry.name;
  }
}

/** Undefined when not all new entries can be seen as they were put there. */
function looksAt({ path, entries }: Listing, looks: OutLooks, { from, to, lacks }: Published): readonly Look[] | undefined {
  try {
    return looks.in(path, (looker) => {
      const seen: Look[] = [];
      for (const entry of entries) {
        if (typeof entry === 'number') continue;
        if (entry.look === undefined) {
          if (lacks(joinBytes(path, entry.name))) return undefined;
          if (!looker.lookAt(entry.name)) return undefined;
          const mtimeNs = mtimeNsOf(looker.seen);
          // A directory's mtime was set when everything was in it.
          if (kindOf(looker.seen.mode) !== DIRECTORY && mtimeNs > from && mtimeNs <= to) return undefined;
        }
        seen.push(entry.look ?? { ...looker.seen });
      }
      return seen;
    });
  } catch (error) {
    if (errnoOf(error) !== 'EACCES') throw error;
    return undefined;
  }
}
