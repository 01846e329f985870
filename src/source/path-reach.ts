/**
 * By paths, where a name cannot be looked up in an open directory: not Linux, or no `/proc`. Every directory on the way is looked at
 * before and after, and must be the same one. To open a file or read a symlink, their ctimes must be the same too: a directory that
 * was exchanged and put back in between has another. Listing is not held to that, as a mirror that is being written to changes
 * directories all the time; so names from elsewhere might be seen, for what they are worth, but nothing that is behind them.
 */
import { closeSync, fstatSync, lstatSync, openSync, readlinkSync, realpathSync } from 'node:fs';
import type { ByteString } from '../core/model.ts';
import { fsPath, partsOf } from '../core/path-bytes.ts';
import { type OpenDirectory, READ_FILE, type Reach, type SourceHandle } from './reach.ts';

/** A directory may change twenty times while files in it are opened; who makes it do so each time wants something else. */
const ATTEMPTS = 20;

export class PathReach implements Reach {
  readonly calls = undefined;
  readonly #root: ByteString;
  readonly #rootId: string;

  constructor({ path, fd }: SourceHandle) {
    this.#root = realpathSync(fsPath(path), 'latin1');
    const { dev, ino } = fstatSync(fd, { bigint: true });
    this.#rootId = `${dev}:${ino}`;
  }

  inDirectory<T>(path: ByteString, look: (directory: OpenDirectory) => T): T {
    const before = this.#way(path, false);
    const found = look({ prefix: path === '' ? `${this.#root}/` : `${this.#root}/${path}/`, fd: undefined });
    if (this.#way(path, false) !== before) throw exchanged();
    return found;
  }

  openFile(path: ByteString): number {
    return this.#held(path, (at) => openSync(fsPath(at), READ_FILE), closeSync);
  }

  readLink(path: ByteString): Buffer {
    return this.#held(
      path,
      (at) => readlinkSync(fsPath(at), 'buffer'),
      () => {},
    );
  }

  close(): void {}

  /** Does something with an entry in the certainty that it is in the source. @param undo what was done somewhere else */
  #held<T>(path: ByteString, act: (at: ByteString) => T, undo: (done: T) => void): T {
    const { above } = partsOf(path);
    for (let attempt = 1; attempt <= ATTEMPTS; attempt++) {
      const before = this.#way(above, true);
      const done = act(`${this.#root}/${path}`);
      let after: string | undefined;
      try {
        after = this.#way(above, true);
      } finally {
        if (after !== before) undo(done);
      }
      if (after === before) return done;
    }
    throw exchanged();
  }

  /** Which directories lie on the way to this one, itself included. @throws ENOTDIR when one of them is none */
  #way(path: ByteString, withTimes: boolean): string {
    const ids: string[] = [];
    for (let end = 0; end >= 0; ) {
      const at = path.slice(0, end);
      const stat = lstatSync(fsPath(at === '' ? this.#root : `${this.#root}/${at}`), { bigint: true });
      const id = `${stat.dev}:${stat.ino}`;
      if (!stat.isDirectory() || (at === '' && id !== this.#rootId)) throw exchanged();
      ids.push(withTimes ? `${id}:${stat.ctimeNs}` : id);
      if (end === path.length) break;
      const next = path.indexOf('/', end + 1);
      end = next < 0 ? path.length : next;
    }
    return ids.join(' ');
  }
}

function exchanged(): Error {
  return Object.assign(new Error('ENOTDIR: a directory on the way to it was exchanged'), { code: 'ENOTDIR' });
}
