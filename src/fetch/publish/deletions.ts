/** What OUT has and the tree has not, for `--delete`; and a guard, because a tree that was made of an unmounted disk has next to nothing. */
import { chmodSync, readdirSync, statSync } from 'node:fs';
import { errnoOf, ShardctlError } from '../../core/errors.ts';
import { FETCH_DIRECTORY } from '../../core/fetch-directory.ts';
import { type ByteString, DIRECTORY, type EntryKind } from '../../core/model.ts';
import { fsPath, joinBytes } from '../../core/path-bytes.ts';
import { PERMISSION_BITS } from '../../dag/unixfs-writer.ts';
import { hold } from '../../restore/held-directories.ts';
import type { MaxDelete } from '../../update/deletion-guard.ts';
import { OutMounts } from '../out/mounts.ts';
import { isNoDirectory, kindOf, lookAt, placeIn } from '../out/places.ts';

export interface Deletion {
  readonly path: ByteString;
  readonly kind: EntryKind;
}

export interface Deletions {
  /** Files, symlinks and whole directories. */
  readonly deletions: readonly Deletion[];
  /** How many entries OUT will lose, of how many. */
  readonly gone: number;
  readonly entries: number;
  /** What is mounted there from elsewhere: it stays, with what is above it. A mount point can be neither renamed nor deleted. */
  readonly mounted: readonly ByteString[];
}

/**
 * @param isInTree whether the tree has an entry of that name, whatever its kind
 * @param excludes what is left out of the copy is left alone, as by rsync
 */
export function deletionsIn(
  out: ByteString,
  isInTree: (path: ByteString) => boolean,
  excludes: (path: ByteString, isDirectory: boolean) => boolean,
): Deletions {
  const deletions: Deletion[] = [];
  const mounted: ByteString[] = [];
  const mounts = new OutMounts(out);
  let [gone, entries] = [0, 0];
  visit('', true);
  return { deletions, gone, entries, mounted };

  /** @returns whether something in it must stay */
  function visit(directory: ByteString, isKept: boolean): boolean {
    let mustStay = false;
    const found: Deletion[] = [];
    for (const name of namesIn(out, directory)) {
      const path = joinBytes(directory, name);
      const stat = lookAt(placeIn(out, path));
      if (stat === undefined || path === FETCH_DIRECTORY) continue;
      const kind = kindOf(stat);
      if (excludes(path, kind === DIRECTORY)) {
        mustStay = true;
        continue;
      }
      const isThere = isKept && isInTree(path);
      if (!isThere && mounts.isElsewhere(path, stat)) {
        mounted.push(path);
        mustStay = true;
        continue;
      }
      entries++;
      const before = deletions.length;
      const holds = kind === DIRECTORY && visit(path, isThere);
      if (isThere || holds) mustStay = true;
      else {
        gone++;
        // The whole directory goes, rather than one after the other of what is in it.
        deletions.length = before;
        found.push({ path, kind });
      }
    }
    deletions.push(...found);
    return mustStay;
  }
}

export function namesIn(out: ByteString, directory: ByteString): string[] {
  try {
    return readdirSync(fsPath(placeIn(out, directory)), 'latin1');
  } catch {
    // What cannot be listed cannot be deleted either.
    return [];
  }
}

/** The same. A directory that its owner may not list (mode 0311, as mirrors have) is opened up for as long; undefined if he may not. */
export function namesOf(out: ByteString, directory: ByteString): readonly string[] | undefined {
  const at = placeIn(out, directory);
  try {
    return readdirSync(fsPath(at), 'latin1');
  } catch (error) {
    if (errnoOf(error) !== 'EACCES') return isNoDirectory(error) ? [] : undefined;
  }
  try {
    const held = hold(at);
    try {
      const { mode } = statSync(fsPath(held.itself));
      chmodSync(fsPath(held.itself), (mode & PERMISSION_BITS) | 0o400);
      try {
        return readdirSync(fsPath(held.inside), 'latin1');
      } finally {
        chmodSync(fsPath(held.itself), mode & PERMISSION_BITS);
      }
    } finally {
      held.close();
    }
  } catch {
    return undefined;
  }
}

/** @throws ShardctlError `MAX_DELETE` */
export function refuseExcess(gone: number, entries: number, limit: MaxDelete | undefined): void {
  if (limit === undefined) return;
  const most = 'entries' in limit ? limit.entries : (entries * limit.percent) / 100;
  if (gone <= most) return;
  throw new ShardctlError('MAX_DELETE', `more than --max-delete allows: ${gone} of the ${entries} entries of OUT are not in the tree`, {
    hint: 'nothing was changed. If it is meant, allow it with --max-delete N, P% or none',
  });
}
