/**
 * Brings what was put together into OUT, by renames alone. At each moment a reader of OUT finds every file that the package indexes name which
 * he sees: indexes come after what they name, and what is gone is deleted last. A run that was killed in the middle is done again, and then
 * finds in OUT what was moved already.
 */
import { randomUUID } from 'node:crypto';
import { type BigIntStats, chmodSync, mkdirSync, renameSync, statSync, unlinkSync } from 'node:fs';
import { displayPath } from '../../core/display.ts';
import { errnoName } from '../../core/errno.ts';
import { errnoOf, ioError } from '../../core/errors.ts';
import type { Emit } from '../../core/events.ts';
import type { Libc } from '../../core/libc.ts';
import { type ByteString, DIRECTORY, type EntryKind } from '../../core/model.ts';
import { fsPath, joinBytes, toBytes } from '../../core/path-bytes.ts';
import { PERMISSION_BITS } from '../../dag/unixfs-writer.ts';
import type { Destination } from '../../restore/destination.ts';
import { changedCode, changeOf, DELETED, newCode } from '../../update/itemize.ts';
import type { OutDirectory } from '../out/out-directory.ts';
import { kindOf, lookAt, OWNER_MAY_ALL, placeIn } from '../out/places.ts';
import { removeTree } from '../out/removal.ts';
import { type Deletion, namesIn } from './deletions.ts';
import type { LeftBehind } from './left-behind.ts';
import type { Move, Moves } from './moves.ts';
import { rankOf } from './package-indexes.ts';

/** The owner's rights, which this run needs itself, and the special bits. */
const KEPT_AT_FIRST = 0o7700;

export interface PublishOptions {
  readonly out: OutDirectory;
  readonly libc: Libc | undefined;
  readonly staging: ByteString;
  /** A directory for what is replaced by something of another kind, until it is deleted. */
  readonly aside: ByteString;
  readonly moves: Moves;
  readonly deletions: readonly Deletion[];
  readonly destination: Destination;
  /** Is told of entries that cannot be brought into OUT, and says which others stay away for that. */
  readonly behind: LeftBehind;
  readonly emit: Emit;
  readonly signal: AbortSignal;
  /** Tell of each change. */
  readonly itemize: boolean;
}

/** Where an entry is now, or will be. */
interface Place {
  readonly at: ByteString;
  /** Its directory, and the entry itself if it is one: where their modes can be set. */
  readonly directory: ByteString;
  readonly itself: () => ByteString;
  readonly isInOut: boolean;
}

/** @throws ShardctlError `IO`, `NO_SPACE` naming where it stopped; what was published until then stays, and a run again goes on */
export function publish({ out, libc, staging, aside, moves, deletions, destination, behind, emit, signal, itemize }: PublishOptions): void {
  attempt('', () => mkdirSync(fsPath(aside), { recursive: true }));
  // Before something comes into it that those who see it now may not see.
  for (const { path, metadata } of moves.directories) attempt(path, () => narrow(path, metadata.mode));
  behind.lookFor(moves.inOrder);
  for (const move of moves.inOrder) {
    signal.throwIfAborted();
    if (!behind.allows(move)) continue;
    const below = itemize && move.staged.isDirectory() ? entriesBelow(move.path) : [];
    if (!attemptOne(move.path, () => place(move)) || !itemize) continue;
    emit({ type: 'change', ...changeOf(codeOf(move), move.path, kindOf(move.staged)) });
    for (const { path, kind } of below) emit({ type: 'change', ...changeOf(newCode(kind), path, kind) });
  }
  const touched = new Map<ByteString, { readonly mode: number; readonly mtimeNs: bigint }>();
  const published = new Set(moves.directories.map(({ path }) => path));
  for (const { path, kind } of behind.holdsIndexes ? [] : inOrderOfDeletion(deletions)) {
    signal.throwIfAborted();
    if (attemptOne(path, () => remove(path, kind)) && itemize) emit({ type: 'change', ...changeOf(DELETED, path, kind) });
  }
  for (const [path, metadata] of touched) attempt(path, () => destination.leaveDirectory(out.at(path), metadata));
  for (const { path, metadata } of [...moves.directories].reverse())
    attemptOne(path, () => destination.leaveDirectory(out.at(path), metadata));
  clearAside();

  /** All that comes with a new directory. */
  function entriesBelow(directory: ByteString): { readonly path: ByteString; readonly kind: EntryKind }[] {
    return namesIn(staging, directory)
      .sort()
      .flatMap((name) => {
        const path = joinBytes(directory, name);
        const stat = lookAt(placeIn(staging, path));
        if (stat === undefined) return [];
        const kind = kindOf(stat);
        return [{ path, kind }, ...(kind === DIRECTORY ? entriesBelow(path) : [])];
      });
  }

  /** Takes away whatever the directory will not allow; what it will allow besides comes at the end. */
  function narrow(path: ByteString, mode: number | undefined): void {
    const now = Number(out.look(path)?.mode ?? 0) & PERMISSION_BITS;
    const narrowed = mode === undefined ? now : now & (mode | KEPT_AT_FIRST);
    if (narrowed !== now) withoutRights(() => chmodSync(fsPath(out.directoryAt(path)), narrowed));
  }

  /** Nothing there is in the way of this run or the next one. */
  function clearAside(): void {
    try {
      removeTree(aside);
    } catch (error) {
      const where = displayPath(aside);
      const message = `not all that was deleted from OUT could be deleted in ${where} (${errnoOf(error)}): \`find ${where}\` shows it; \`umount\` frees a mount point, \`chattr -i\` an immutable file`;
      emit({ type: 'warning', message });
    }
  }

  function place({ path, staged, before }: Move): void {
    const [from, to] = [inOwn(`${staging}/${path}`), inOut(path)];
    const mustMakeWay = before !== undefined && (before.isDirectory() || staged.isDirectory());
    if (!mustMakeWay) rename(from, to, staged);
    // In one step, so that at each moment one of the two is there.
    else if (exchange(from, to, [before, staged])) rename(from, asideOf(), before);
    else {
      const away = asideOf();
      rename(to, away, before);
      try {
        rename(from, inOut(path), staged);
      } catch (error) {
        rename(away, inOut(path), before);
        throw error;
      }
    }
  }

  function remove(path: ByteString, kind: EntryKind): void {
    // What was in a directory that a file has replaced went with it.
    const there = out.look(path);
    if (there === undefined) return;
    const above = aboveOf(path);
    const stat = out.look(above);
    if (stat !== undefined && !published.has(above) && !touched.has(above))
      touched.set(above, { mode: Number(stat.mode) & PERMISSION_BITS, mtimeNs: stat.mtimeNs });
    // A directory goes in one step; what is in it is deleted when nobody sees it any more.
    const from = inOut(path);
    try {
      if (kind === DIRECTORY) rename(from, asideOf(), there);
      else withWritable([from.directory], () => unlinkSync(fsPath(from.at)));
    } catch (error) {
      // The directory of it is another file system than OUT.
      if (errnoOf(error) === 'EXDEV' && kind === DIRECTORY) removeTree(from.at);
      else if (errnoOf(error) === 'EBUSY') emit({ type: 'warning', message: `"${displayPath(path)}" is a mount point: it stays` });
      else throw error;
    }
  }

  /** @param stat of what is renamed: a directory that goes into another one must be writable itself, because its `..` changes; it gets its mode back */
  function rename(from: Place, to: Place, stat: BigIntStats): void {
    withWritable([from.directory, to.directory, ...(stat.isDirectory() ? [from.itself()] : [])], () =>
      renameSync(fsPath(from.at), fsPath(to.at)),
    );
    hasMoved(to, stat);
  }

  /** @returns false where the system or the file system cannot do that */
  function exchange(one: Place, other: Place, [before, staged]: readonly [BigIntStats, BigIntStats]): boolean {
    if (libc?.exchange === undefined) return false;
    let errno = 0;
    const directories = [one.directory, other.directory, (staged.isDirectory() ? one : other).itself()];
    withWritable(directories, () => {
      errno = libc.exchange?.(Buffer.from(one.at, 'latin1'), Buffer.from(other.at, 'latin1')) ?? 0;
      if (errnoName(errno) === 'EACCES') throw Object.assign(new Error('EACCES: not permitted'), { code: 'EACCES' });
    });
    if (errno !== 0) return false;
    hasMoved(one, before);
    hasMoved(other, staged);
    return true;
  }

  /** @param stat as it was before something was opened up to be moved */
  function hasMoved(to: Place, stat: BigIntStats): void {
    if (!stat.isDirectory()) return;
    out.hasMoved();
    if (to.isInOut && statSync(fsPath(to.itself())).mode !== Number(stat.mode))
      chmodSync(fsPath(to.itself()), Number(stat.mode) & PERMISSION_BITS);
  }

  /** A mirror may have directories that not even their owner may write to: they are opened up, and get their modes back at the end. */
  function withWritable(directories: readonly ByteString[], work: () => void): void {
    try {
      work();
    } catch (error) {
      if (errnoOf(error) !== 'EACCES') throw error;
      for (const directory of directories) {
        const { mode } = statSync(fsPath(directory));
        chmodSync(fsPath(directory), (mode & PERMISSION_BITS) | OWNER_MAY_ALL);
      }
      work();
    }
  }

  function attempt(path: ByteString, work: () => void): void {
    try {
      work();
    } catch (error) {
      throw ioError(error, 'bringing the copy up to date', displayPath(placeIn(toBytes(out.path), path)));
    }
  }

  /** The same of an entry that the others can do without. @returns whether it was done */
  function attemptOne(path: ByteString, work: () => void): boolean {
    try {
      work();
      return true;
    } catch (error) {
      attempt(path, () => behind.note(path, error));
      return false;
    }
  }

  function inOut(path: ByteString): Place {
    return { at: out.at(path), directory: out.directoryAt(aboveOf(path)), itself: () => out.directoryAt(path), isInOut: true };
  }

  /** Nobody else can write to fetch's own directory. */
  function inOwn(path: ByteString): Place {
    return { at: path, directory: aboveOf(path), itself: () => path, isInOut: false };
  }

  function asideOf(): Place {
    // What could not be deleted by an earlier run may still be there.
    return inOwn(`${aside}/${randomUUID()}`);
  }
}

/** Who may write to a directory need not be its owner: its mode stays then, here as at the end. */
function withoutRights(work: () => void): void {
  try {
    work();
  } catch (error) {
    if (errnoOf(error) !== 'EPERM') throw error;
  }
}

/** An index goes before what it names: none names a file that is not there any more. No deletion lies inside another one. */
function inOrderOfDeletion(deletions: readonly Deletion[]): Deletion[] {
  const rank = ({ path, kind }: Deletion) => rankOf(kind === DIRECTORY ? `${path}/` : path);
  return [...deletions].sort((a, b) => rank(b) - rank(a));
}

function aboveOf(path: ByteString): ByteString {
  return path.slice(0, Math.max(0, path.lastIndexOf('/')));
}

/** What `-i` shows for it. */
export function codeOf({ staged, before }: Pick<Move, 'staged' | 'before'>): string {
  const kind = kindOf(staged);
  if (before === undefined || kindOf(before) !== kind) return newCode(kind);
  const size = before.size !== staged.size;
  const mtime = before.mtimeNs !== staged.mtimeNs;
  return changedCode(kind, { content: false, size, mtime, mode: before.mode !== staged.mode }, true);
}
