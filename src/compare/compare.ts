/**
 * compare — decides what is new, changed or the same.
 * In: the walk, and the entries of the parent snapshot. Out: the walk, with each entry's state set.
 * Holds: one record of the parent per open directory, while it is being matched.
 *
 * Both sides come in walk order, so this is a merge: no lookup, no hash table, whatever the size of the repository.
 */
import { CHANGED, Directory, DROPPED, SAME, UNREADABLE, type WalkStep } from '../directory.ts';
import type { EntriesReader, EntriesRecord } from '../index-store/entries-reader.ts';
import { type ByteString, DIRECTORY } from '../model.ts';

export interface CompareOptions {
  /** Mode and mtime are in the tree: without them, those of a directory make no difference. */
  readonly metadata: boolean;
}

/** @param base the parent's entries; undefined when there is no parent, and then everything is new */
export function* compare(
  steps: Iterable<WalkStep>,
  base: EntriesReader | undefined,
  options: CompareOptions,
): Generator<WalkStep, void, void> {
  const parent = new Cursor(base);
  for (const step of steps) {
    const { directory } = step;
    if (directory.unreadable) {
      if (step.kind === 'enter') yield* keep(directory, parent);
      continue;
    }
    if (step.kind === 'enter') {
      const record = parent.seek(directory.path);
      if (record !== undefined) match(directory, record, options);
      else settle(directory);
    }
    yield step;
  }
}

/** Sets the states of a directory's entries from the parent's record of it. */
function match(directory: Directory, record: EntriesRecord, options: CompareOptions): void {
  const indexes = new Int32Array(directory.count).fill(-1);
  let matched = 0;
  for (let i = 0, j = 0; i < directory.count; i++) {
    const name = directory.names[i] as ByteString;
    while (j < record.names.length && (record.names[j] as ByteString) < name) j++;
    if (record.names[j] !== name || directory.states[i] === DROPPED) continue;
    matched++;
    indexes[i] = j;
    if (directory.states[i] === UNREADABLE) adopt(directory, i, record, j);
    else directory.states[i] = isSame(directory, i, record, j, options) ? SAME : CHANGED;
  }
  const { ordinal, names } = record;
  directory.base = { ordinal, indexes, kinds: record.kinds.slice(), removed: names.length - matched, count: names.length };
  settle(directory);
}

function isSame(directory: Directory, i: number, record: EntriesRecord, j: number, { metadata }: CompareOptions): boolean {
  const kind = directory.kinds[i];
  if (kind === DIRECTORY && !metadata) return record.kinds[j] === DIRECTORY;
  const alike = kind === record.kinds[j] && directory.modes[i] === record.modes[j] && directory.mtimes[i] === record.mtimes[j];
  // A directory is listed whatever its stat data say; only its own metadata matter here.
  if (!alike || kind === DIRECTORY) return alike;
  return directory.sizes[i] === record.sizes[j] && directory.ctimes[i] === record.ctimes[j] && directory.inodes[i] === record.inodes[j];
}

/** An entry that cannot be read stays as the parent has it, with a ctime that makes the next run try again. */
function adopt(directory: Directory, i: number, record: EntriesRecord, j: number): void {
  directory.states[i] = SAME;
  directory.kinds[i] = record.kinds[j] as number;
  directory.modes[i] = record.modes[j] as number;
  directory.sizes[i] = record.sizes[j] as number;
  directory.mtimes[i] = record.mtimes[j] as bigint;
  directory.markStale(i);
  directory.inodes[i] = record.inodes[j] as bigint;
}

/** What is unreadable and in no parent cannot be in the snapshot. */
function settle(directory: Directory): void {
  for (let i = 0; i < directory.count; i++) if (directory.states[i] === UNREADABLE) directory.states[i] = DROPPED;
}

/**
 * Puts the parent's subtree in the place of a directory that could not be listed: unreadable is not deleted.
 * Its record comes next in the parent exactly if the parent had it, and its subtree is what follows with its path before it.
 */
function* keep(unreadable: Directory, parent: Cursor): Generator<WalkStep, void, void> {
  const record = parent.seek(unreadable.path);
  const above = unreadable.parent as Directory;
  if (record === undefined) {
    // What could not even be looked at may be a file, which `match` has dealt with.
    if (above.kinds[unreadable.indexInParent] === DIRECTORY) above.drop(unreadable.indexInParent);
    return;
  }
  const open: Directory[] = [];
  for (let next: EntriesRecord | undefined = record; next !== undefined; next = parent.below(unreadable.path)) {
    while (open.length > 0 && !next.path.startsWith(`${(open.at(-1) as Directory).path}/`)) {
      yield { kind: 'leave', directory: open.pop() as Directory };
    }
    const directory = asDirectory(next, open.at(-1) ?? above);
    open.push(directory);
    yield { kind: 'enter', directory };
  }
  for (const directory of open.reverse()) yield { kind: 'leave', directory };
}

function asDirectory(record: EntriesRecord, above: Directory): Directory {
  const name = record.path.slice(above.path === '' ? 0 : above.path.length + 1);
  const directory = new Directory(record.path, above, above.names.indexOf(name), record.names);
  directory.kinds.set(record.kinds);
  directory.modes.set(record.modes);
  directory.sizes.set(record.sizes);
  directory.mtimes.set(record.mtimes);
  directory.ctimes.set(record.ctimes);
  directory.inodes.set(record.inodes);
  directory.states.fill(SAME);
  directory.kept = true;
  const { ordinal, names } = record;
  const indexes = Int32Array.from(names, (_, i) => i);
  directory.base = { ordinal, indexes, kinds: directory.kinds, removed: 0, count: names.length };
  return directory;
}

/** The parent's records, advanced in step with the walk. */
class Cursor {
  readonly #base: EntriesReader | undefined;
  #record: EntriesRecord | undefined;

  constructor(base: EntriesReader | undefined) {
    this.#base = base;
    this.#record = base?.next();
  }

  /** The record of this directory, if the parent has it; everything before it is passed by: those directories are gone. */
  seek(path: ByteString): EntriesRecord | undefined {
    const key = keyOf(path);
    while (this.#record !== undefined && keyOf(this.#record.path) < key) this.#advance();
    return this.#record?.path === path ? this.#advance() : undefined;
  }

  /** The next record if it is somewhere below the path. */
  below(path: ByteString): EntriesRecord | undefined {
    return this.#record?.path.startsWith(`${path}/`) ? this.#advance() : undefined;
  }

  #advance(): EntriesRecord | undefined {
    const record = this.#record;
    this.#record = this.#base?.next();
    return record;
  }
}

function keyOf(path: ByteString): string {
  return path === '' ? '' : `${path}/`;
}
