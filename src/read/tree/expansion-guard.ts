/**
 * Guards a walk that writes a tree out: `get`, `diff`. What was received bounds it as long as no directory comes twice. When one
 * does, as copies of a directory do and endless trees must, the whole tree is measured before the walk goes on.
 */
import { BlockSet } from '../../core/block-set.ts';
import type { ByteString } from '../../core/model.ts';
import { assertReachable, type MeasureOptions, measureReadable } from './measure.ts';
import type { TreeEntry } from './tree.ts';

/** Holds 44 to 88 bytes a directory, until one comes twice. */
export class ExpansionGuard {
  readonly #root: TreeEntry;
  readonly #options: MeasureOptions;
  /** Undefined once the tree is known to have an end. */
  #met: BlockSet | undefined = new BlockSet();

  /** @param root of what is walked */
  constructor(root: TreeEntry, options: MeasureOptions) {
    this.#root = root;
    this.#options = options;
  }

  /** Before a directory is looked into. @param path that leads to it @throws BoundlessTree */
  async enter(directory: TreeEntry, path: ByteString): Promise<void> {
    assertReachable(path);
    if (this.#met === undefined || this.#met.add(directory)) return;
    // An empty one may come as often as it likes: what leads to it was received.
    if ('links' in directory.content && directory.content.links.length === 0) return;
    this.#met = undefined;
    await measureReadable(this.#root, this.#options);
  }
}
