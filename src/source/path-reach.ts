/**
 * Reaches into the source by paths, where names cannot be looked up in an open directory: not on Linux, or without `/proc`. Every
 * directory on the path is looked at before and after the call, and must be the same one. When a file is opened or a symlink is read,
 * the directories' ctimes must be the same, too, because one that was exchanged and put back in between has a new ctime. When a
 * directory is listed, ctimes are not compared, as they change all the time in a mirror that is being written to. So names from
 * elsewhere may be listed, but nothing is read through them.
 */
import { closeSync, fstatSync, lstatSync, openSync, readlinkSync, realpathSync } from 'node:fs';
import type { ByteString } from '../core/model.ts';
import { fsPath, partsOf } from '../core/path-bytes.ts';
import { type OpenDirectory, READ_FILE, type Reach, type SourceHandle } from './reach.ts';

/** A directory that really changes lets one of so many attempts through; what changes it during each is an attack. */
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

  /** Calls `act` on an entry, again if a directory on the way has changed meanwhile. @param undo gets the result of an attempt that may have met a file elsewhere */
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

  /** Identities of the directories on the path to this one, itself included. @throws ENOTDIR when one of them is no directory */
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
  return Object.assign(new Error('ENOTDIR: a directory on its path was replaced'), { code: 'ENOTDIR' });
}
