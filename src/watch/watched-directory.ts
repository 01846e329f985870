/** A directory of a source as a watch knows it. */
import { statSync } from 'node:fs';
import { errnoOf } from '../core/errors.ts';
import type { ByteString } from '../core/model.ts';
import { fsPath } from '../core/path-bytes.ts';
import type { OpenDirectory, Reach } from '../source/reach.ts';

export interface WatchedDirectory {
  /** From the root of the source. It stays as it is: a directory that moves is another one. */
  readonly path: ByteString;
  readonly above: WatchedDirectory | undefined;
  readonly name: ByteString;
  /** −1 as long as it is not watched. */
  watch: number;
  /** Its subdirectories, as far as they are known. */
  below: Map<ByteString, WatchedDirectory> | undefined;
  isForgotten: boolean;
}

export function newDirectory(above: WatchedDirectory | undefined, name: ByteString, path: ByteString): WatchedDirectory {
  return { path, above, name, watch: -1, below: undefined, isForgotten: false };
}

/** Whether a directory that is watched is still under the path that is known of it, besides being the one that is open here. */
export function isThere({ path }: WatchedDirectory, { prefix }: OpenDirectory, reach: Pick<Reach, 'inDirectory'>): boolean {
  const { dev, ino } = statSync(fsPath(prefix), { bigint: true });
  try {
    return reach.inDirectory(
      path,
      (other) => {
        const stat = statSync(fsPath(other.prefix), { bigint: true });
        return stat.dev === dev && stat.ino === ino;
      },
      'quickly',
    );
  } catch (error) {
    if (errnoOf(error) === undefined) throw error;
    return false;
  }
}
