/** A directory of OUT that is a file in the tree has to make way for it: what must stay in it would be lost with it. */
import type { BigIntStats } from 'node:fs';
import { displayPath } from '../../core/display.ts';
import { ShardctlError } from '../../core/errors.ts';
import { type ByteString, DIRECTORY } from '../../core/model.ts';
import { joinBytes } from '../../core/path-bytes.ts';
import type { KnownEntries } from '../known/known-entries.ts';
import { OutMounts } from '../out/mounts.ts';
import type { OutLooks } from '../out/out-looks.ts';
import { lookAt, placeIn } from '../out/places.ts';
import { namesOf } from './deletions.ts';
import type { Move } from './moves.ts';

export interface MayGoOptions {
  /** With `--delete`. */
  readonly deletes: boolean;
  /** What is left out of the copy stays in OUT. */
  readonly excludes: ((path: ByteString, isDirectory: boolean) => boolean) | undefined;
  /** What the last run has put into OUT. */
  readonly noted: KnownEntries;
  readonly looks: OutLooks;
}

/** Whether an entry of OUT may be deleted to make way. */
export type MayGo = (path: ByteString, isDirectory: boolean) => boolean;

/**
 * rsync keeps such a directory, too.
 * @param mayGo of the directory, and of each entry below it @throws ShardctlError `NOT_WRITTEN`
 */
export function refuseToReplace(out: ByteString, moves: readonly Move[], mayGo: MayGo, hint: string): void {
  for (const { path, staged, before } of moves) {
    if (before?.isDirectory() !== true || staged.isDirectory()) continue;
    const first = firstToStay(out, path, mayGo);
    if (first === undefined) continue;
    const shown = `"${displayPath(first.path)}"`;
    const way = first.isMounted ? `unmount ${shown}` : `move ${shown} elsewhere, or ${hint}`;
    throw new ShardctlError(
      'NOT_WRITTEN',
      `"${displayPath(path)}" is a file in the tree, and in OUT a directory with what must stay there`,
      {
        hint: `nothing was changed: ${way}`,
      },
    );
  }
}

function firstToStay(
  out: ByteString,
  directory: ByteString,
  mayGo: MayGo,
): { readonly path: ByteString; readonly isMounted: boolean } | undefined {
  const mounts = new OutMounts(out);
  const isOther = (path: ByteString, stat: BigIntStats | undefined) => stat !== undefined && mounts.isElsewhere(path, stat);
  if (isOther(directory, lookAt(placeIn(out, directory)))) return { path: directory, isMounted: true };
  if (!mayGo(directory, true)) return { path: directory, isMounted: false };
  const left = [directory];
  for (let at = left.pop(); at !== undefined; at = left.pop()) {
    const names = namesOf(out, at);
    // Nobody knows what is in it.
    if (names === undefined) return { path: at, isMounted: false };
    for (const name of names) {
      const path = joinBytes(at, name);
      const stat = lookAt(placeIn(out, path));
      if (stat === undefined) continue;
      if (isOther(path, stat)) return { path, isMounted: true };
      if (!mayGo(path, stat.isDirectory())) return { path, isMounted: false };
      if (stat.isDirectory()) left.push(path);
    }
  }
  return undefined;
}

/** What may go with a directory that makes way for a file; and what to do when something in it may not. */
export function mayGoFrom({ deletes, excludes, noted, looks }: MayGoOptions): [mayGo: MayGo, hint: string] {
  const isExcluded: MayGo = (at, isDirectory) => excludes?.(at, isDirectory) === true;
  if (deletes) return [(at, isDirectory) => !isExcluded(at, isDirectory), 'run it again without the rule that excludes it'];
  const isAsNoted: MayGo = (at, isDirectory) => {
    const row = noted.get(at);
    if (row === undefined) return false;
    // Of a directory, the entries in it are asked about one by one.
    if (isDirectory) return noted.columns.kindAt(row) === DIRECTORY;
    const look = looks.at(at);
    return look !== undefined && noted.columns.isAs(row, look);
  };
  return [
    (at, isDirectory) => !isExcluded(at, isDirectory) && isAsNoted(at, isDirectory),
    'run it again with --delete: an earlier run has not put it there as it is now',
  ];
}
