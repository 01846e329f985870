/**
 * What has changed since the tree that was passed, as judges ask for it. Files that came are told apart from files that went or have other
 * bytes: an index that was passed and is the same is contradicted by the second kind alone.
 */
import type { JudgedTree } from '../../core/gate.ts';
import { type ByteString, DIRECTORY, SYMLINK } from '../../core/model.ts';
import { partsOf } from '../../core/path-bytes.ts';
import { isIndex } from './index-files.ts';

/** Paths that are held, at about 200 bytes each; with more changes than that, everything is judged anew. */
const MOST_PATHS = 1_000_000;

export class ChangedPaths {
  /** Files that went or have other bytes. */
  readonly #disturbed = new Set<ByteString>();
  #disturbedNames: Set<ByteString> | undefined;
  /** Those of them that some index names, or has named. */
  readonly #named = new Set<ByteString>();
  /** Every directory in or below which something has changed. */
  readonly directories = new Set<ByteString>();
  /** A symlink went or leads elsewhere: paths that lead over it have changed, and are not among these. */
  hasSymlinks = false;
  /** A file that is no index went or has other bytes. */
  hasDisturbed = false;
  /** Files that came or have other bytes. */
  readonly arrived: ByteString[] = [];

  /** @returns undefined when no tree was passed, or more has changed than memory should hold */
  static async of(tree: JudgedTree): Promise<ChangedPaths | undefined> {
    if (tree.passed === undefined) return undefined;
    const changed = new ChangedPaths();
    for await (const { path, before, now } of tree.changes()) {
      if (before !== undefined && before !== DIRECTORY) {
        changed.#disturbed.add(path);
        if (!isIndex(path)) changed.hasDisturbed = true;
        if (before === SYMLINK) changed.hasSymlinks = true;
      }
      if (now !== undefined && now !== DIRECTORY) changed.arrived.push(path);
      changed.#noteAbove(path);
      if (Math.max(changed.#disturbed.size, changed.directories.size, changed.arrived.length) > MOST_PATHS) return undefined;
    }
    return changed;
  }

  get isEmpty(): boolean {
    return this.directories.size === 0;
  }

  /** Whether a file that an index names, or has named, went or has other bytes. */
  isDisturbed(path: ByteString): boolean {
    if (!this.#disturbed.has(path)) return false;
    this.#named.add(path);
    return true;
  }

  /** Whether this path went or has other bytes, without taking it for named. */
  wasThere(path: ByteString): boolean {
    return this.#disturbed.has(path);
  }

  disturbed(): Iterable<ByteString> {
    return this.#disturbed;
  }

  /** The last components of their paths. */
  disturbedNames(): ReadonlySet<ByteString> {
    this.#disturbedNames ??= new Set([...this.#disturbed].map((path) => partsOf(path).name));
    return this.#disturbedNames;
  }

  /** Those that no index has named so far: somebody may reach them over a symlink. */
  *unnamed(): Iterable<ByteString> {
    for (const path of this.#disturbed) if (!this.#named.has(path)) yield path;
  }

  #noteAbove(path: ByteString): void {
    let above = path;
    while (above !== '') {
      above = above.slice(0, Math.max(0, above.lastIndexOf('/')));
      if (this.directories.has(above)) return;
      this.directories.add(above);
    }
  }
}
