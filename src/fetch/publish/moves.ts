/** What has to be renamed from the staging directory into OUT, in the order in which whoever reads OUT may see it. */
import { type BigIntStats, chmodSync, readdirSync } from 'node:fs';
import { displayPath, shellWord } from '../../core/display.ts';
import { ShardctlError } from '../../core/errors.ts';
import type { ByteString, Metadata } from '../../core/model.ts';
import { fsPath, joinBytes } from '../../core/path-bytes.ts';
import { PERMISSION_BITS } from '../../dag/unixfs-writer.ts';
import { OutMounts } from '../out/mounts.ts';
import { lookAt, OWNER_MAY_ALL, placeIn } from '../out/places.ts';
import { removeTree } from '../out/removal.ts';
import { INDEX, PLAIN, rankOf } from './package-indexes.ts';

export interface Move {
  /** A file, a symlink, or a directory that OUT does not have, with everything in it. */
  readonly path: ByteString;
  readonly staged: BigIntStats;
  /** What OUT has there, if anything. */
  readonly before: BigIntStats | undefined;
  readonly rank: number;
}

export interface Moves {
  /** Plain files first, then indexes, then what names those. */
  readonly inOrder: readonly Move[];
  /** Directories that OUT has already, deepest last, with what they are to be like at the end. */
  readonly directories: readonly { readonly path: ByteString; readonly metadata: Metadata }[];
}

/** A directory that comes whole, with indexes and what they name in it: whoever sees one sees the other. */
const MIXED = (PLAIN + INDEX) / 2;

/**
 * @param isWanted whether a file or symlink belongs to the tree: what else an interrupted run has left is deleted
 * @param isDirectory whether the tree has a directory there: others, left by a run for another tree, are deleted too
 * @param metadata whether the tree has modes and times
 * @throws ShardctlError `NOT_WRITTEN` when something would come into a directory that is another file system
 */
export function movesOf(
  staging: ByteString,
  out: ByteString,
  isWanted: (path: ByteString) => boolean,
  metadata: boolean,
  isDirectory: (path: ByteString) => boolean = () => true,
): Moves {
  const moves: Move[] = [];
  const directories: { readonly path: ByteString; readonly metadata: Metadata }[] = [];
  const mounts = new OutMounts(out);
  visit('');
  return { inOrder: moves.sort((a, b) => a.rank - b.rank), directories };

  function visit(directory: ByteString): void {
    const stat = lookAt(placeIn(staging, directory));
    if (stat === undefined) return;
    directories.push({ path: directory, metadata: metadata ? { mode: Number(stat.mode) & PERMISSION_BITS, mtimeNs: stat.mtimeNs } : {} });
    openUp(directory, Number(stat.mode));
    let isLookedAt = directory === '';
    for (const name of readdirSync(fsPath(placeIn(staging, directory)), 'latin1')) {
      const path = joinBytes(directory, name);
      const staged = lookAt(placeIn(staging, path));
      if (staged === undefined) continue;
      if (!(staged.isDirectory() ? isDirectory : isWanted)(path)) {
        removeTree(placeIn(staging, path));
        continue;
      }
      const before = lookAt(placeIn(out, path));
      if (!isLookedAt && !(staged.isDirectory() && before?.isDirectory() === true)) {
        refuseElsewhere(directory);
        isLookedAt = true;
      }
      // Of a single file that is mounted there, which no rename replaces.
      if (before !== undefined && !before.isDirectory() && mounts.points.has(path)) throw isElsewhere(path);
      if (!staged.isDirectory()) {
        moves.push({ path, staged, before, rank: rankOf(path) });
      } else if (before?.isDirectory() === true) visit(path);
      else moves.push({ path, staged, before, rank: rankOfTree(path) ?? PLAIN });
    }
  }

  /** Nothing can be renamed from OUT into another file system. */
  function refuseElsewhere(directory: ByteString): void {
    const stat = lookAt(placeIn(out, directory));
    if (stat !== undefined && mounts.isElsewhere(directory, stat)) throw isElsewhere(directory);
  }

  /** A mirror has directories that not even their owner may list. @returns whether it is one */
  function openUp(directory: ByteString, mode: number): boolean {
    if ((mode & OWNER_MAY_ALL) === OWNER_MAY_ALL) return false;
    chmodSync(fsPath(placeIn(staging, directory)), (mode & PERMISSION_BITS) | OWNER_MAY_ALL);
    return true;
  }

  /** Undefined where there is no file. The directory comes to its place with the mode that it has, so it gets that back. */
  function rankOfTree(directory: ByteString): number | undefined {
    const mode = Number(lookAt(placeIn(staging, directory))?.mode ?? OWNER_MAY_ALL);
    const wasClosed = openUp(directory, mode);
    try {
      return rankInside(directory);
    } finally {
      if (wasClosed) chmodSync(fsPath(placeIn(staging, directory)), mode & PERMISSION_BITS);
    }
  }

  function rankInside(directory: ByteString): number | undefined {
    let rank: number | undefined;
    for (const entry of readdirSync(fsPath(placeIn(staging, directory)), { encoding: 'latin1', withFileTypes: true })) {
      const path = joinBytes(directory, entry.name);
      const holds = entry.isDirectory();
      if (!(holds ? isDirectory : isWanted)(path)) removeTree(placeIn(staging, path));
      else {
        const its = holds ? rankOfTree(path) : rankOf(path);
        if (its !== undefined) rank = rank === undefined || rank === its ? its : Math.min(rank, its) < INDEX ? MIXED : Math.max(rank, its);
      }
    }
    return rank;
  }
}

/** The refusal to bring something into a directory of OUT that is mounted there. */
export function isElsewhere(directory: ByteString): ShardctlError {
  const shown = displayPath(directory);
  const [exclude, from, to] = [`--exclude=/${shown}`, `SRC/${shown}`, `OUT/${shown}`].map(shellWord);
  return new ShardctlError(
    'NOT_WRITTEN',
    `"${shown}" is another file system than OUT, or mounted from elsewhere, and fetch brings what is new to its place by renames`,
    { hint: `nothing was changed: leave it out with ${exclude}, and bring it up to date by itself: \`shardctl fetch ${from} ${to}\`` },
  );
}
