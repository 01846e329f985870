/** Signs that somebody is bringing the source up to date at this moment: half of that must not be published. */
import { existsSync, lstatSync, opendirSync } from 'node:fs';
import type { ByteString } from '../core/model.ts';
import { fsPath, joinBytes } from '../core/path-bytes.ts';

/** In the root of a Debian mirror while ftpsync, or another tool that follows its rules, is at work. */
const DEBIAN = /^Archive-Update-in-Progress-/;
/** What rsync is writing: `.NAME.XXXXXX`; and with `--delay-updates` the directory of what it has written. */
const RSYNC = /^(?:\..+\.[A-Za-z0-9]{6}|\.~tmp~)$/s;
/** So many are enough to see that a sync goes on. */
const MOST_TEMPORARIES = 1000;

export class SyncSigns {
  readonly #locks: readonly string[];
  /** Paths of what rsync seems to be writing. */
  readonly #temporaries = new Set<ByteString>();

  /** @param locks absolute paths: while one of them is there, a sync is under way */
  constructor(locks: readonly string[]) {
    this.#locks = locks;
  }

  came(directory: ByteString, name: ByteString): void {
    if (RSYNC.test(name) && this.#temporaries.size < MOST_TEMPORARIES) this.#temporaries.add(joinBytes(directory, name));
  }

  /** What is there still was left by an rsync that died. */
  forget(): void {
    this.#temporaries.clear();
  }

  /** @param source its absolute path, as far as it is known */
  areThere(source: ByteString | undefined): boolean {
    if (this.#locks.some((path) => existsSync(path))) return true;
    return source !== undefined && (hasDebianSign(source) || this.#hasTemporary(source));
  }

  #hasTemporary(source: ByteString): boolean {
    for (const path of this.#temporaries) {
      try {
        lstatSync(fsPath(`${source}/${path}`));
        return true;
      } catch {
        this.#temporaries.delete(path);
      }
    }
    return false;
  }
}

function hasDebianSign(source: ByteString): boolean {
  try {
    const listing = opendirSync(fsPath(`${source}/`));
    try {
      for (let entry = listing.readSync(); entry !== null; entry = listing.readSync()) if (DEBIAN.test(entry.name)) return true;
      return false;
    } finally {
      listing.closeSync();
    }
  } catch {
    // The update says what is wrong with the source.
    return false;
  }
}
