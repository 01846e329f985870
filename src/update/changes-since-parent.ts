/**
 * What differs between the tree of a run and its parent's, as the pipeline has found it: for the gate, which would have to compare the two
 * trees block by block. It may name an entry that is the same; it leaves out none that is not.
 * Holds: the paths, at about 200 bytes each, up to a bound.
 */
import type { PathChange } from '../core/gate.ts';
import type { ByteString, EntryKind } from '../core/model.ts';
import { type Directory, DROPPED, SAME } from '../walk/directory.ts';

/** With more than these the trees are compared: beside them a large import holds its own. */
const MOST_PATHS = 100_000;

export class ChangesSinceParent {
  #all: PathChange[] | undefined = [];

  /** The walk does not have an entry that the parent has. */
  noteRemoved(path: ByteString, kind: EntryKind): void {
    this.#note({ path, before: kind, now: undefined });
  }

  /** To be told of each directory that the walk has entered, with its entries as they are in the tree. */
  noteLeft(directory: Directory): void {
    const { states, kinds, base } = directory;
    for (let i = 0; i < directory.count; i++) {
      if (states[i] === SAME) continue;
      const at = base?.indexes[i] ?? -1;
      const before = at < 0 ? undefined : (base?.kinds[at] as EntryKind);
      const now = states[i] === DROPPED ? undefined : (kinds[i] as EntryKind);
      if (before !== undefined || now !== undefined) this.#note({ path: directory.pathOf(i), before, now });
    }
  }

  /** Undefined where there are more than memory should hold. */
  get all(): readonly PathChange[] | undefined {
    return this.#all;
  }

  #note(change: PathChange): void {
    if (this.#all === undefined) return;
    if (this.#all.length === MOST_PATHS) this.#all = undefined;
    else this.#all.push(change);
  }
}
