/** Which entries of a tree OUT has as the last run has left them: found out by one look at each, without reading a byte. */
import { type BlockId, type ByteString, DIRECTORY } from '../../core/model.ts';
import { joinBytes } from '../../core/path-bytes.ts';
import type { TreeLink } from '../../read/tree/tree.ts';
import type { Look } from '../../source/look.ts';
import type { OutLooks } from '../out/out-looks.ts';
import type { KnownDirectory, KnownEntries } from './known-entries.ts';
import type { NewEntry, TreeEntries } from './tree-entries.ts';

export interface UnchangedOptions {
  readonly looks: OutLooks;
  readonly known: KnownEntries;
  /** What is left out, as text: directories are known to be whole only when the last run was told the same. */
  readonly filters: string;
}

/** An entry of the tree that the last run did not leave in OUT as it is. */
export interface Lacking {
  readonly path: ByteString;
  readonly link: TreeLink;
  readonly id: BlockId;
  /** What OUT has under that name. */
  readonly there: Look | undefined;
  /** That is what the last run has put there, and it has another root. */
  readonly isOther: boolean;
}

/** What became of an entry: a row of what is known, or a new one; undefined when that cannot be found out. */
export type Decided = number | NewEntry | undefined;

export class UnchangedEntries {
  readonly #options: UnchangedOptions;
  readonly #entries: TreeEntries;

  /** @param entries is told of directories that are there with everything below them */
  constructor(options: UnchangedOptions, entries: TreeEntries) {
    this.#options = options;
    this.#entries = entries;
  }

  /** Notes for each entry that is as the last run has left it which row that is. @returns the others, by their places in `links` */
  note(directory: ByteString, links: readonly TreeLink[], decided: Decided[]): Map<number, Lacking> {
    const { known, looks } = this.#options;
    const { columns } = known;
    const lacking = new Map<number, Lacking>();
    /** Directories that may be there with everything below them. */
    const whole: { readonly at: number; readonly row: number; readonly one: Lacking }[] = [];
    let { first: row, end } = known.directory(directory) ?? { first: 0, end: 0 };
    const isThere = looks.in(directory, (looker) => {
      for (const [at, link] of links.entries()) {
        while (row < end && columns.nameAt(row) < link.name) row++;
        const isKnown = row < end && columns.nameAt(row) === link.name;
        const isSeen = looker.lookAt(link.name);
        const isAsKnown = isKnown && isSeen && columns.isAs(row, looker.seen);
        const isSame = isKnown && columns.hasRoot(row, link);
        if (isAsKnown && isSame && columns.kindAt(row) !== DIRECTORY) {
          decided[at] = row;
          continue;
        }
        const path = joinBytes(directory, link.name);
        const one = { path, link, id: idOf(link), there: isSeen ? { ...looker.seen } : undefined, isOther: isAsKnown && !isSame };
        if (isAsKnown && isSame) whole.push({ at, row, one });
        lacking.set(at, one);
      }
      return true;
    });
    if (isThere === undefined) {
      for (const [at, link] of links.entries()) {
        const path = joinBytes(directory, link.name);
        lacking.set(at, { path, link, id: idOf(link), there: undefined, isOther: false });
      }
    }
    for (const { at, row: its, one } of whole) {
      if (!this.#keepsWhole(one.path)) continue;
      decided[at] = its;
      lacking.delete(at);
    }
    return lacking;
  }

  /** A directory of which nothing has changed in the tree: if nothing has in OUT either, none of its blocks is read. */
  #keepsWhole(path: ByteString): boolean {
    const { known, looks, filters } = this.#options;
    const { columns } = known;
    if (known.told?.filters !== filters) return false;
    const directories: KnownDirectory[] = [];
    const left = [path];
    for (let at = left.pop(); at !== undefined; at = left.pop()) {
      const directory = known.directory(at);
      if (directory === undefined) return false;
      const below: ByteString[] = [];
      const isWhole = looks.in(at, (looker) => {
        for (let row = directory.first; row < directory.end; row++) {
          const isSeen = looker.look(columns.names, columns.nameEnd(row - 1), columns.nameEnd(row));
          if (!isSeen || !columns.isAs(row, looker.seen)) return false;
          if (columns.kindAt(row) === DIRECTORY) below.push(joinBytes(directory.path, columns.nameAt(row)));
        }
        return true;
      });
      if (isWhole !== true) return false;
      directories.push(directory);
      left.push(...below);
    }
    for (const directory of directories) this.#entries.addKnown(directory);
    return true;
  }
}

/** Of a link, without the link: what holds it lets go of its directory's block. */
function idOf({ codec, digest }: BlockId): BlockId {
  return { codec, digest: Uint8Array.from(digest) };
}
