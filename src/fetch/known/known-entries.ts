/** What the last run has put into OUT, so that what has not changed since costs one look and no hash. The file: see `entries-file.ts`. */
import { DigestMap } from '../../core/digest-map.ts';
import { type BlockId, type ByteString, DIRECTORY } from '../../core/model.ts';
import { joinBytes, partsOf } from '../../core/path-bytes.ts';
import { EntryColumns } from './entry-columns.ts';

/** A directory: the rows of its entries, from `first` to before `end`, in the order of their names. */
export interface KnownDirectory {
  readonly path: ByteString;
  readonly first: number;
  readonly end: number;
}

/** What that run was told; by it OUT may be other than the tree says. */
export interface Told {
  /** What of the tree was left out, as text: a directory with the same CID may have fewer entries in OUT. */
  readonly filters: string;
  /** Whether files have their setuid, setgid and sticky bits. */
  readonly specialBits: boolean;
}

export class KnownEntries {
  /** CID of the tree that OUT has; undefined when no run has come to its end yet. */
  readonly tree: string | undefined;
  readonly told: Told | undefined;
  readonly columns: EntryColumns;
  readonly #directories: ReadonlyMap<ByteString, KnownDirectory>;
  /** In the order of their rows. */
  readonly #inOrder: readonly KnownDirectory[];
  /** Rows of files and symlinks by their roots, made when it is first needed. */
  #byRoot: DigestMap | undefined;

  /** @param directories in the order of their rows */
  constructor(
    tree: string | undefined = undefined,
    told: Told | undefined = undefined,
    columns: EntryColumns = new EntryColumns(),
    directories: readonly KnownDirectory[] = [],
  ) {
    this.tree = tree;
    this.told = told;
    this.columns = columns;
    this.#inOrder = directories;
    this.#directories = new Map(directories.map((directory) => [directory.path, directory]));
  }

  get size(): number {
    return this.columns.count;
  }

  directory(path: ByteString): KnownDirectory | undefined {
    return this.#directories.get(path);
  }

  /** The row of an entry; undefined when the last run has not put it there. */
  get(path: ByteString): number | undefined {
    const { above, name } = partsOf(path);
    const { first = 0, end = 0 } = this.directory(above) ?? {};
    let [low, high] = [first, end];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.columns.nameAt(middle) < name) low = middle + 1;
      else high = middle;
    }
    return low < end && this.columns.nameAt(low) === name ? low : undefined;
  }

  /** Where a file or symlink with this root was put, and its row. */
  withRoot(id: BlockId): { readonly path: ByteString; readonly row: number } | undefined {
    if (this.#byRoot === undefined) {
      this.#byRoot = new DigestMap();
      for (let row = 0; row < this.size; row++)
        if (this.columns.kindAt(row) !== DIRECTORY) this.#byRoot.add(this.columns.digestAt(row), 0, row);
    }
    const row = this.#byRoot.get(id.digest);
    return row === undefined ? undefined : { path: joinBytes(this.#directoryOf(row), this.columns.nameAt(row)), row };
  }

  #directoryOf(row: number): ByteString {
    let [low, high] = [0, this.#inOrder.length - 1];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#inOrder[middle] as KnownDirectory).end <= row) low = middle + 1;
      else high = middle;
    }
    return this.#inOrder[low]?.path ?? '';
  }
}
