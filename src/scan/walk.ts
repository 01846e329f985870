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
  readonly mode: number;
  readonly mtimeNs: bigint;
}

/** @throws ShardctlError SOURCE_MISSING, SOURCE_UNREADABLE or USAGE when the source is not a directory that can be listed */
export function statSource(source: ByteString): SourceRoot {
  try {
    // The trailing slash follows a symlink to a directory, as rsync's does.
    const stat = lstatSync(fsPath(`${source}/`), { bigint: true });
    return { mode: Number(stat.mode) & 0o7777, mtimeNs: stat.mtimeNs };
  } catch (error) {
    throw sourceError(source, error);
  }
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
  const children = statEntries(source, directory, options);
  yield { kind: 'enter', directory };
  for (const index of children) {
    const child = listChild(source, directory, index, options.emit);
    if (child?.unreadable) {
      yield { kind: 'enter', directory: child };
      yield { kind: 'leave', directory: child };
    } else if (child !== undefined) {
      yield* visit(source, child, options);
    }
  }
  yield { kind: 'leave', directory };
}

/** Stats every entry into the directory's columns; returns the positions of its subdirectories in walk order. */
function statEntries(source: ByteString, directory: Directory, { filter, emit }: WalkOptions): number[] {
  const children: number[] = [];
  const prefix = directory.path === '' ? `${source}/` : `${source}/${directory.path}/`;
  for (let i = 0; i < directory.count; i++) {
    const name = directory.names[i] as ByteString;
    let stat: BigIntStats;
    try {
      stat = lstatSync(fsPath(prefix + name), { bigint: true });
    } catch (error) {
      directory.states[i] = report(directory, i, error, emit) === 'vanished' ? DROPPED : UNREADABLE;
      continue;
    }
    const mode = Number(stat.mode);
    const kind = KINDS.get(mode & S_IFMT);
    if (filter.excludes(joinBytes(directory.path, name), kind === DIRECTORY)) {
      directory.states[i] = DROPPED;
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
  return children.sort((a, b) => (`${directory.names[a]}/` < `${directory.names[b]}/` ? -1 : 1));
}

/** Lists a subdirectory; undefined when it vanished meanwhile. */
function listChild(source: ByteString, parent: Directory, index: number, emit: Emit): Directory | undefined {
  const path = joinBytes(parent.path, parent.names[index] as ByteString);
  try {
    return new Directory(path, parent, index, readdirSync(fsPath(`${source}/${path}`), 'latin1').sort());
  } catch (error) {
    if (report(parent, index, error, emit) === 'unreadable') return new Directory(path, parent, index, [], true);
    parent.states[index] = DROPPED;
    return undefined;
  }
}

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
