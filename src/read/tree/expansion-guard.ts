/**
 * Guards a walk that writes out a tree (`get`, `diff`) against trees without end. As long as no directory comes twice, the walk is no
 * longer than the blocks that are stored. When one comes twice, the tree may hold honest copies or be endless: the guard measures all
 * of it before the walk goes on.
 */
import { BlockSet } from '../../core/block-set.ts';
import type { ByteString } from '../../core/model.ts';
import { assertReachable, type MeasureOptions, measureReadable } from './measure.ts';
import type { TreeEntry } from './tree.ts';

/** Holds 44 to 88 bytes a directory, until one comes twice. */
export class ExpansionGuard {
  readonly #root: TreeEntry;
  readonly #options: MeasureOptions;
  /** The directories that were entered; undefined once the tree was measured. */
  #met: BlockSet | undefined = new BlockSet();

  /** @param root where the walk begins */
  constructor(root: TreeEntry, options: MeasureOptions) {
    this.#root = root;
    this.#options = options;
  }

  /** To be called before the links of a directory are read. @param path of the directory @throws BoundlessTree */
  async enter(directory: TreeEntry, path: ByteString): Promise<void> {
    assertReachable(path);
    if (this.#met === undefined || this.#met.add(directory)) return;
    // An empty directory adds nothing below the link that leads to it, so it may come any number of times.
    if ('links' in directory.content && directory.content.links.length === 0) return;
    this.#met = undefined;
    await measureReadable(this.#root, this.#options);
  }
}
