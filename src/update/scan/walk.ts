/**
 * scan — lists the source.
 * In: a directory. Out: its directories in walk order (by path + `/`, bytewise), each with the stat data of its entries.
 * Holds: the directories between the root and the current one, each with all its entries.
 *
 * Synchronous on purpose: async fs is 2–8 times slower here, and listing is never what a run waits for.
 */
import { lstatSync, readdirSync } from 'node:fs';
import { displayPath } from '../../core/display.ts';
import { isGone } from '../../core/errno.ts';
import { errnoOf, reasonOf } from '../../core/errors.ts';
import type { Emit, EntryProblem, KeptLink } from '../../core/events.ts';
import { type ByteString, DIRECTORY, SYMLINK } from '../../core/model.ts';
import { fsPath, joinBytes } from '../../core/path-bytes.ts';
import { entryStatOf, lookAgain } from '../../source/look.ts';
import type { OpenDirectory } from '../../source/reach.ts';
import { type Source, sourceError } from '../../source/source.ts';
import { Directory, DROPPED, SAME, UNREADABLE } from '../../walk/directory.ts';
import { type EntryStat, entryStat } from '../../walk/entry-stat.ts';
import { PAUSE, type Recalled, type WalkStep } from '../../walk/walk-step.ts';
import type { Filter } from './filter.ts';
import { kindOf, specialOf } from './kinds.ts';
import type { Led, Links } from './links.ts';
import type { Recall } from './recall.ts';

export interface WalkOptions {
  readonly filter: Pick<Filter, 'excludes'>;
  /** Given where symlinks are stored as what they lead to. */
  readonly links?: Links | undefined;
  /** What the sweep has just found. */
  readonly recall?: Pick<Recall, 'isReady' | 'same' | 'directory'> | undefined;
  readonly emit: Emit;
  readonly signal: AbortSignal;
}

/** As much of it as is walked through. */
export type WalkedSource = Pick<Source, 'handle' | 'reach' | 'looker'>;

/** The consumer sets the states of a directory's entries before it asks for the next step: only a subdirectory that is SAME is passed over. */
export function* walk(source: WalkedSource, options: WalkOptions): Generator<WalkStep, void, void> {
  yield* walkFromRoot(source, options);
  if (options.links?.kept !== undefined) options.emit(options.links.kept);
}

function* walkFromRoot(source: WalkedSource, options: WalkOptions): Generator<WalkStep, void, void> {
  while (options.recall?.isReady('') === false) yield PAUSE;
  const known = options.recall?.directory('', undefined, -1);
  if (known !== undefined) {
    yield* visitRecalled(source, known.directory, known, options);
    return;
  }
  let root: Listed;
  try {
    root = list(source, undefined, -1, options);
  } catch (error) {
    throw sourceError(source.handle.path, error);
  }
  yield* visit(source, root, options);
}

function* visit(source: WalkedSource, { directory, ...children }: Listed, options: WalkOptions): Generator<WalkStep, void, void> {
  yield { kind: 'enter', directory };
  yield* visitChildren(source, directory, children, options);
  yield { kind: 'leave', directory };
}

function* visitRecalled(
  source: WalkedSource,
  directory: Directory,
  recalled: Recalled,
  options: WalkOptions,
): Generator<WalkStep, void, void> {
  options.signal.throwIfAborted();
  const children: number[] = [];
  for (let i = 0; i < directory.count; i++) if (directory.kinds[i] === DIRECTORY) children.push(i);
  if (options.links !== undefined) for (const i of [...children, ...recalled.touched]) leadAgain(source, directory, i, options.links);
  yield { kind: 'enter', directory, recalled };
  yield* visitChildren(source, directory, { children: inWalkOrder(children, directory), lost: NONE }, options);
  yield { kind: 'leave', directory };
}

function* visitChildren(
  source: WalkedSource,
  directory: Directory,
  { children, lost }: Children,
  options: WalkOptions,
): Generator<WalkStep, void, void> {
  const { recall, signal } = options;
  for (const index of children) {
    const path = directory.pathOf(index);
    while (recall?.isReady(path) === false) yield PAUSE;
    const subtree = directory.states[index] === SAME ? recall?.same(path) : undefined;
    if (subtree !== undefined) {
      yield { kind: 'same', subtree };
      continue;
    }
    const known = recall?.directory(path, directory, index);
    if (known !== undefined) {
      yield* visitRecalled(source, known.directory, known, options);
      continue;
    }
    signal.throwIfAborted();
    const child = lost.has(index) ? unreadable(directory, index) : listChild(source, directory, index, options);
    if (child !== undefined) yield* visit(source, child, options);
  }
}

export interface Children {
  /** Positions of the subdirectories, in walk order, and of what may be one. */
  readonly children: readonly number[];
  /** Those of them that could not be looked at: the parent knows whether they are directories. */
  readonly lost: ReadonlySet<number>;
}

const NONE: ReadonlySet<number> = new Set();

interface Listed extends Children {
  readonly directory: Directory;
}

/** Lists a directory and looks at all its entries. */
function list(source: WalkedSource, parent: Directory | undefined, index: number, options: WalkOptions): Listed {
  const path = parent === undefined ? '' : parent.pathOf(index);
  return source.reach.inDirectory(parent?.originOf(index) ?? '', (open) => {
    const directory = new Directory(path, parent, index, inOrder(readdirSync(fsPath(open.prefix), 'latin1')));
    if (directory.origin !== path) options.links?.count(directory.count, displayPath(path));
    return { directory, ...statEntries(source, open, directory, directory.names.keys(), options) };
  });
}

/** With --copy-links: follows a symlink again, as the sweep does not keep what it led to. */
function leadAgain({ reach }: WalkedSource, directory: Directory, index: number, links: Links): void {
  const name = directory.nameOf(index);
  try {
    const stat = lookAgain(reach, directory.origin, name);
    const led = stat.isSymbolicLink() ? links.follow(directory.way(), name) : undefined;
    if (typeof led === 'object') directory.lead(index, led.origin);
  } catch (error) {
    // The stage that opens the file meets the same error and reports it.
    if (errnoOf(error) === undefined) throw error;
  }
}

/** Stats entries into the directory's columns. @param indexes which: all that were listed, or those that a run was told of and that may be gone */
export function statEntries(
  { looker }: Pick<WalkedSource, 'looker'>,
  open: OpenDirectory,
  directory: Directory,
  indexes: Iterable<number>,
  { filter, links, emit, mayBeGone = false }: Pick<WalkOptions, 'filter' | 'links' | 'emit'> & { readonly mayBeGone?: boolean },
): Children {
  const children: number[] = [];
  const lost = new Set<number>();
  looker.turnTo(open);
  for (const i of indexes) {
    const name = directory.nameOf(i);
    let stat: EntryStat;
    let led: Led | KeptLink | undefined;
    try {
      // The looker only says that it failed; lstat says why.
      stat = looker.lookAt(name) ? entryStatOf(looker.seen) : entryStat(lstatSync(fsPath(open.prefix + name), { bigint: true }));
      if (links !== undefined && kindOf(stat.mode) === SYMLINK) led = links.follow(directory.way(), name);
    } catch (error) {
      if (mayBeGone && isGone(errnoOf(error) ?? '')) {
        directory.states[i] = DROPPED;
        continue;
      }
      if (report(directory, i, error, emit) === 'vanished') {
        directory.states[i] = DROPPED;
      } else {
        directory.states[i] = UNREADABLE;
        lost.add(i);
        children.push(i);
      }
      continue;
    }
    if (typeof led === 'object') {
      stat = entryStat(led.stat);
      directory.lead(i, led.origin);
    }
    const { mode } = stat;
    const kind = kindOf(mode);
    if (filter.excludes(joinBytes(directory.path, name), kind === DIRECTORY)) {
      directory.states[i] = DROPPED;
    } else if (name.length > MAX_NAME_BYTES) {
      directory.states[i] = DROPPED;
      const detail = `its name has more than ${MAX_NAME_BYTES} bytes: skipped`;
      emit({ type: 'entry', problem: 'unreadable', path: displayPath(joinBytes(directory.path, name)), detail });
    } else if (kind === undefined) {
      directory.states[i] = DROPPED;
      emit({
        type: 'entry',
        problem: 'special',
        path: displayPath(joinBytes(directory.path, name)),
        detail: `${specialOf(mode)}: skipped`,
      });
    } else {
      directory.setStat(i, kind, stat);
      if (kind === DIRECTORY) children.push(i);
      if (typeof led === 'string') links?.keep(led, displayPath(joinBytes(directory.path, name)));
    }
  }
  return { children: inWalkOrder(children, directory), lost };
}

/** Walk order compares path + '/': "a-b" comes before "a", because '-' sorts before '/'. */
export function inWalkOrder(children: number[], { names }: Directory): number[] {
  return children.sort((a, b) => (`${names[a]}/` < `${names[b]}/` ? -1 : 1));
}

/** Names sorted by bytes, each once: NFS servers and FUSE file systems list some twice, and a tree with two entries of a name cannot be read. */
function inOrder(names: ByteString[]): ByteString[] {
  names.sort();
  return names.some((name, i) => name === names[i + 1]) ? names.filter((name, i) => name !== names[i + 1]) : names;
}

/** Stands for a directory that cannot be listed. */
function unreadable(parent: Directory, index: number): Listed {
  const directory = new Directory(parent.pathOf(index), parent, index, [], true);
  return { directory, children: [], lost: NONE };
}

/** The walk of a subdirectory of which nothing is known yet. */
export function* walkBelow(source: WalkedSource, parent: Directory, index: number, options: WalkOptions): Generator<WalkStep, void, void> {
  options.signal.throwIfAborted();
  const child = listChild(source, parent, index, options);
  if (child !== undefined) yield* visit(source, child, options);
}

/** Lists a subdirectory; undefined when it vanished meanwhile. */
function listChild(source: WalkedSource, parent: Directory, index: number, options: WalkOptions): Listed | undefined {
  try {
    return list(source, parent, index, options);
  } catch (error) {
    if (report(parent, index, error, options.emit) === 'unreadable') return unreadable(parent, index);
    parent.states[index] = DROPPED;
    return undefined;
  }
}

/** Some FUSE file systems allow longer names. The index cannot hold them, and Kubo could not restore them. */
const MAX_NAME_BYTES = 255;

/** Tells of an entry that was listed and cannot be looked at. Only one that is gone counts as deleted; any other failure must not. */
export function report(directory: Directory, index: number, error: unknown, emit: Emit): EntryProblem {
  const errno = errnoOf(error);
  if (errno === undefined) throw error;
  const problem = isGone(errno) ? 'vanished' : 'unreadable';
  const path = displayPath(directory.pathOf(index));
  emit({ type: 'entry', problem, path, detail: reasonOf(error) });
  return problem;
}
