/**
 * The name of the directory in a copy in which `fetch` keeps what it knows of it. By that it takes files for unchanged without reading
 * them, so no tree may bring it along: whatever writes trees out leaves out entries of this name, wherever in the tree they are.
 */
import type { ByteString } from './model.ts';

export const FETCH_DIRECTORY = '.shardctl-fetch';

/** Tells once that a tree has such an entry. */
export class FetchDirectoryLeftOut {
  readonly #warn: (message: string) => void;
  #isTold = false;

  constructor(warn: (message: string) => void) {
    this.#warn = warn;
  }

  /** Whether an entry of a tree is left out. */
  has(name: ByteString): boolean {
    if (name !== FETCH_DIRECTORY) return false;
    if (!this.#isTold)
      this.#warn(
        `the tree has entries named ${FETCH_DIRECTORY}, which are left out: by them \`fetch\` would take a copy for what it is not`,
      );
    this.#isTold = true;
    return true;
  }
}
