/** Looks at what OUT has, a directory at a time, and never through a symlink: somebody else may write there. */
import { closeSync, constants, openSync } from 'node:fs';
import { errnoOf } from '../../core/errors.ts';
import { linuxCalls } from '../../core/libc.ts';
import type { ByteString } from '../../core/model.ts';
import { fsPath, partsOf } from '../../core/path-bytes.ts';
import { reachOf } from '../../source/choose-reach.ts';
import { type Look, type Looker, makeLooker } from '../../source/look.ts';
import type { OpenDirectory, Reach } from '../../source/reach.ts';
import { isNoDirectory, placeIn } from './places.ts';

export class OutLooks {
  readonly #out: ByteString;
  /** Undefined when there is no OUT: a dry run makes none. */
  readonly #opened: { readonly fd: number; readonly reach: Reach; readonly looker: Looker } | undefined;
  /** For directories that may be passed through and not listed. */
  readonly #byPath: Looker = makeLooker({ calls: undefined });

  /** @throws the system call's error when there is something else than a directory */
  constructor(out: ByteString) {
    this.#out = out;
    this.#opened = opened(out);
  }

  /** @param work looks at entries of this directory of OUT @returns undefined when OUT has no such directory */
  in<T>(directory: ByteString, work: (looker: Looker) => T): T | undefined {
    if (this.#opened === undefined) return undefined;
    const { reach, looker: ours } = this.#opened;
    const using = (looker: Looker) => (directoryOpened: OpenDirectory) => {
      looker.turnTo(directoryOpened);
      return work(looker);
    };
    try {
      return reach.inDirectory(directory, using(ours), 'quickly');
    } catch (error) {
      if (isNoDirectory(error)) return undefined;
      if (errnoOf(error) !== 'EACCES') throw error;
      return using(this.#byPath)({ prefix: `${placeIn(this.#out, directory)}/`, fd: undefined });
    }
  }

  /** One entry; undefined when it is not there. */
  at(path: ByteString): Look | undefined {
    const { above, name } = partsOf(path);
    return this.in(above, (looker) => (looker.lookAt(name) ? { ...looker.seen } : undefined));
  }

  close(): void {
    this.#opened?.reach.close();
    if (this.#opened !== undefined) closeSync(this.#opened.fd);
  }
}

function opened(out: ByteString): { readonly fd: number; readonly reach: Reach; readonly looker: Looker } | undefined {
  try {
    const fd = openSync(fsPath(out), constants.O_RDONLY | constants.O_DIRECTORY);
    const reach = reachOf({ path: out, fd }, linuxCalls());
    return { fd, reach, looker: makeLooker(reach) };
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined;
    throw error;
  }
}
