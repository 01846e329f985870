/**
 * Which names the tree has in the directories that OUT has, too: what `--delete` would delete is so counted before anything is downloaded. Reads
 * only directories that have changed, and holds their blocks, because they are read again when the tree is.
 */
import { type ByteString, DAG_PB, DIRECTORY } from '../../core/model.ts';
import { joinBytes, partsOf } from '../../core/path-bytes.ts';
import type { Blocks } from '../../read/blocks/block-source.ts';
import { linksOf, readEntry, type TreeEntry } from '../../read/tree/tree.ts';
import type { KnownEntries } from '../known/known-entries.ts';
import { lookAt, placeIn } from '../out/places.ts';

export interface TreeNamesOptions {
  readonly out: ByteString;
  readonly known: KnownEntries;
  /** As of the last run's: a directory with the same CID has what it had. */
  readonly filters: string;
  readonly blocks: Blocks;
}

export class TreeNames {
  readonly #names = new Map<ByteString, ReadonlySet<ByteString>>();
  readonly #known: KnownEntries;

  /** @param top of the tree, a directory. Throws what reading its directories throws */
  static async read(top: TreeEntry, options: TreeNamesOptions): Promise<TreeNames> {
    const names = new TreeNames(options.known);
    await names.#read(top, options);
    return names;
  }

  private constructor(known: KnownEntries) {
    this.#known = known;
  }

  /** Of an entry of OUT. In doubt yes: what is not noted of a directory that has not changed is counted in the end. */
  has(path: ByteString): boolean {
    const { above, name } = partsOf(path);
    const names = this.#names.get(above);
    if (names !== undefined) return names.has(name);
    return this.#known.get(this.#known.directory(above) === undefined ? above : path) !== undefined;
  }

  async #read(top: TreeEntry, { out, known, filters, blocks }: TreeNamesOptions): Promise<void> {
    const left: { readonly path: ByteString; readonly entry: TreeEntry }[] = [{ path: '', entry: top }];
    for (let at = left.pop(); at !== undefined; at = left.pop()) {
      const links = await linksOf(at.entry, blocks, (error) => {
        throw error;
      });
      this.#names.set(at.path, new Set(links.map(({ name }) => name)));
      for (const link of links) {
        const path = joinBytes(at.path, link.name);
        if (link.codec !== DAG_PB || lookAt(placeIn(out, path))?.isDirectory() !== true) continue;
        const row = known.told?.filters === filters ? known.get(path) : undefined;
        if (row !== undefined && known.columns.kindAt(row) === DIRECTORY && known.columns.hasRoot(row, link)) continue;
        const entry = await readEntry(link, blocks);
        if (entry.kind === DIRECTORY) left.push({ path, entry });
        else this.#names.set(path, new Set());
      }
    }
  }
}
