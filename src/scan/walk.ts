/**
 * scan — lists the source.
 * In: a directory. Out: its directories in walk order (by path + `/`, bytewise), each with the stat data of its entries.
 * Holds: the directories between the root and the current one, each with all its entries.
 *
 * Synchronous on purpose: async fs is 2–8 times slower here, and listing is never what a run waits for.
 */
import { type BigIntStats, lstatSync, readdirSync } from 'node:fs';
import { Directory, DROPPED, UNREADABLE, type WalkStep } from '../directory.ts';
import { displayPath } from '../display.ts';
import { errnoOf, reasonOf, ShardctlError } from '../errors.ts';
import type { Emit, EntryProblem } from '../events.ts';
import { fsPath, joinBytes } from '../fs-path.ts';
import { type ByteString, DIRECTORY, type EntryKind, FILE, SYMLINK } from '../model.ts';
import type { Filter } from './filter.ts';

export interface WalkOptions {
  readonly filter: Filter;
  readonly emit: Emit;
  readonly signal: AbortSignal;
}

/** The root's own stat data: it is nobody's entry. */
export interface SourceRoot {
  /** Device and inode: which directory it is. */
  readonly identity: string;
  readonly mode: number;
  readonly mtimeNs: bigint;
}

/** @throws ShardctlError SOURCE_MISSING, SOURCE_UNREADABLE or USAGE when the source is not a directory that can be listed */
export function statSource(source: ByteString): SourceRoot {
  try {
    // The trailing slash follows a symlink to a directory, as rsync's does.
    const stat = lstatSync(fsPath(`${source}/`), { bigint: true });
    return { identity: `${stat.dev}:${stat.ino}`, mode: Number(stat.mode) & 0o7777, mtimeNs: stat.mtimeNs };
  } catch (error) {
    throw sourceError(source, error);
  }
}

/** A disk that is unmounted in the middle of a run looks like a mirror in which everything was deleted. @throws ShardctlError SOURCE_MISSING */
export function assertSameSource(source: ByteString, before: SourceRoot): void {
  if (statSource(source).identity === before.identity) return;
  throw new ShardctlError('SOURCE_MISSING', `${displayPath(source)} was replaced or unmounted during the run: nothing is committed`, {
    hint: 'mount it, and run the same command again',
  });
}

export function* walk(source: ByteString, options: WalkOptions): Generator<WalkStep, void, void> {
  let names: ByteString[];
  try {
    names = readdirSync(fsPath(source), 'latin1');
  } catch (error) {
    throw sourceError(source, error);
  }
  yield* visit(source, new Directory('', undefined, -1, names.sort()), options);
}

function* visit(source: ByteString, directory: Directory, options: WalkOptions): Generator<WalkStep, void, void> {
  options.signal.throwIfAborted();
  const { children, lost } = statEntries(source, directory, options);
  yield { kind: 'enter', directory };
  for (const index of children) {
    const child = lost.has(index) ? unreadable(directory, index) : listChild(source, directory, index, options.emit);
    if (child?.unreadable) {
      yield { kind: 'enter', directory: child };
      yield { kind: 'leave', directory: child };
    } else if (child !== undefined) {
      yield* visit(source, child, options);
    }
  }
  yield { kind: 'leave', directory };
}

interface Children {
  /** Positions of the subdirectories, in walk order, and of what may be one. */
  readonly children: readonly number[];
  /** Those of them that could not be looked at: the parent knows whether they are directories. */
  readonly lost: ReadonlySet<number>;
}

/** Stats every entry into the directory's columns. */
function statEntries(source: ByteString, directory: Directory, { filter, emit }: WalkOptions): Children {
  const children: number[] = [];
  const lost = new Set<number>();
  const prefix = directory.path === '' ? `${source}/` : `${source}/${directory.path}/`;
  for (let i = 0; i < directory.count; i++) {
    const name = directory.names[i] as ByteString;
    let stat: BigIntStats;
    try {
      stat = lstatSync(fsPath(prefix + name), { bigint: true });
    } catch (error) {
      if (report(directory, i, error, emit) === 'vanished') {
        directory.states[i] = DROPPED;
      } else {
        directory.states[i] = UNREADABLE;
        lost.add(i);
        children.push(i);
      }
      continue;
    }
    const mode = Number(stat.mode);
    const kind = KINDS.get(mode & S_IFMT);
    if (filter.excludes(joinBytes(directory.path, name), kind === DIRECTORY)) {
      directory.states[i] = DROPPED;
    } else if (name.length > MAX_NAME_BYTES) {
      directory.states[i] = DROPPED;
      const detail = `its name has more than ${MAX_NAME_BYTES} bytes: skipped`;
      emit({ type: 'entry', problem: 'unreadable', path: displayPath(joinBytes(directory.path, name)), detail });
    } else if (kind === undefined) {
      directory.states[i] = DROPPED;
      const what = SPECIAL.get(mode & S_IFMT) ?? 'a special file';
      emit({ type: 'entry', problem: 'special', path: displayPath(joinBytes(directory.path, name)), detail: `${what}: skipped` });
    } else {
      directory.setStat(i, kind, { mode, size: Number(stat.size), mtimeNs: stat.mtimeNs, ctimeNs: stat.ctimeNs, inode: stat.ino });
      if (kind === DIRECTORY) children.push(i);
    }
  }
  // Walk order compares path + '/': "a-b" comes before "a", because '-' sorts before '/'.
  children.sort((a, b) => (`${directory.names[a]}/` < `${directory.names[b]}/` ? -1 : 1));
  return { children, lost };
}

/** Stands for a directory that cannot be listed. */
function unreadable(parent: Directory, index: number): Directory {
  return new Directory(joinBytes(parent.path, parent.names[index] as ByteString), parent, index, [], true);
}

/** Lists a subdirectory; undefined when it vanished meanwhile. */
function listChild(source: ByteString, parent: Directory, index: number, emit: Emit): Directory | undefined {
  const path = joinBytes(parent.path, parent.names[index] as ByteString);
  try {
    return new Directory(path, parent, index, readdirSync(fsPath(`${source}/${path}`), 'latin1').sort());
  } catch (error) {
    if (report(parent, index, error, emit) === 'unreadable') return unreadable(parent, index);
    parent.states[index] = DROPPED;
    return undefined;
  }
}

/** Some FUSE file systems allow more; then Kubo could not restore them either, nor could the index hold them. */
const MAX_NAME_BYTES = 255;
const S_IFMT = 0o170000;
const KINDS: ReadonlyMap<number, EntryKind> = new Map([
  [0o100000, FILE],
  [0o040000, DIRECTORY],
  [0o120000, SYMLINK],
]);
const SPECIAL: ReadonlyMap<number, string> = new Map([
  [0o010000, 'a FIFO'],
  [0o140000, 'a socket'],
  [0o020000, 'a character device'],
  [0o060000, 'a block device'],
]);

/** An entry that was listed and cannot be looked at: gone is gone, everything else must not be taken for a deletion. */
function report(directory: Directory, index: number, error: unknown, emit: Emit): EntryProblem {
  const errno = errnoOf(error);
  if (errno === undefined) throw error;
  // ENOTDIR: a directory was replaced by something else between the listing of its parent and its own.
  const problem = errno === 'ENOENT' || errno === 'ENOTDIR' ? 'vanished' : 'unreadable';
  const path = displayPath(joinBytes(directory.path, directory.names[index] as ByteString));
  emit({ type: 'entry', problem, path, detail: reasonOf(error) });
  return problem;
}

function sourceError(source: ByteString, error: unknown): unknown {
  const errno = errnoOf(error);
  const shown = displayPath(source);
  if (errno === 'ENOENT') {
    return new ShardctlError('SOURCE_MISSING', `no such directory: ${shown}`, {
      hint: 'check the path; is its disk mounted?',
      cause: error,
    });
  }
  if (errno === 'ENOTDIR') {
    return new ShardctlError('USAGE', `not a directory: ${shown}`, { hint: 'give the directory that holds the repository', cause: error });
  }
  if (errno === undefined) return error;
  return new ShardctlError('SOURCE_UNREADABLE', `cannot list ${shown}: ${(error as Error).message}`, {
    hint: 'run as a user who may read it',
    cause: error,
  });
}
