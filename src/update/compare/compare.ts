/**
 * compare — decides what is new, changed or the same.
 * In: the walk, and the entries of the parent snapshot. Out: the walk, with each entry's state set.
 * Holds: one record of the parent per open directory, while it is being matched.
 *
 * Both sides come in walk order, so they are merged as two sorted lists are: no entry is looked up, and no table of them is held.
 */
import { type ByteString, DIRECTORY, type EntryKind } from '../../core/model.ts';
import { joinBytes, keyOf } from '../../core/path-bytes.ts';
import type { EntriesRecord } from '../../index/entries/hot-file.ts';
import type { ParentEntries } from '../../index/entries/some-entries.ts';
import { type Directory, DROPPED, SAME, UNREADABLE } from '../../walk/directory.ts';
import { copyStat } from '../../walk/stat-columns.ts';
import type { WalkStep } from '../../walk/walk-step.ts';
import { Cursor } from './cursor.ts';
import { type JudgeOptions, judge } from './judge.ts';
import { keepSubtree } from './keep.ts';

export interface CompareOptions extends JudgeOptions {
  /** Told of each entry of the parent that the walk does not have, in walk order. */
  readonly onRemoved?: (path: ByteString, kind: EntryKind) => void;
}

/** The state of the merge: where it stands in the parent's records, and which directories stay as the parent has them. */
interface Comparison {
  readonly parent: Cursor;
  readonly options: CompareOptions;
  /** Directories that could not be looked at, by path; the value is the directory above. */
  readonly kept: Map<ByteString, Directory>;
}

/** @param base the parent's entries; undefined when there is no parent, and then everything is new */
export function* compare(
  steps: Iterable<WalkStep>,
  base: ParentEntries | undefined,
  options: CompareOptions,
): Generator<WalkStep, void, void> {
  const parent = new Cursor(base);
  const it: Comparison = { parent, options, kept: new Map() };
  for (const step of steps) {
    if (step.kind === 'pause') {
      yield step;
      continue;
    }
    if (step.kind === 'same') {
      const { ordinal, length } = step.subtree;
      yield* passOver(it, () => parent.isBeforeOrdinal(ordinal));
      parent.skip(length);
      yield step;
      continue;
    }
    const { directory } = step;
    if (step.kind === 'enter' && step.recalled !== undefined) {
      const { record, touched } = step.recalled;
      yield* passOver(it, () => parent.isBeforeOrdinal(record.ordinal));
      parent.skip(1);
      for (const i of touched) judge(directory, i, record, i, options);
    } else if (step.kind === 'enter') {
      const key = keyOf(directory.path);
      if (parent.isBefore(key)) yield* passOver(it, () => parent.isBefore(key));
      const record = parent.take(directory.path);
      if (directory.unreadable) yield* keepUnreadable(it, directory, record);
      else if (record !== undefined) match(it, directory, record);
      else dropUnreadable(directory);
    } else if (parent.isBelow(directory.path)) {
      yield* passOver(it, () => parent.isBelow(directory.path));
    }
    if (!directory.unreadable) yield step;
  }
}

/** Consumes the parent's records of directories that the walk does not enter: they are gone, or could not be looked at. */
function* passOver({ parent, options, kept }: Comparison, isPast: () => boolean): Generator<WalkStep, void, void> {
  while (isPast()) {
    const record = parent.advance() as EntriesRecord;
    const above = kept.get(record.path);
    if (above !== undefined) yield* keepSubtree(record, above, parent);
    else for (let j = 0; j < record.names.length; j++) remove(options, record, j);
  }
}

/** Unreadable is not deleted: the parent's subtree takes the place of a directory that could not be listed. */
function* keepUnreadable({ parent }: Comparison, directory: Directory, record: EntriesRecord | undefined): Generator<WalkStep, void, void> {
  const above = directory.parent as Directory;
  // Without a record the parent had no directory here. Where lstat failed, too, `match` of the directory above has decided already.
  if (record === undefined && above.kinds[directory.indexInParent] === DIRECTORY) above.drop(directory.indexInParent);
  else if (record === undefined) return;
  else yield* keepSubtree(record, above, parent);
}

/** Sets the states of a directory's entries from the parent's record of it. */
function match({ options, kept }: Comparison, directory: Directory, record: EntriesRecord): void {
  const { ordinal, names } = record;
  const count = names.length;
  const indexes = new Int32Array(directory.count).fill(-1);
  const removed: ByteString[] = [];
  const miss = (at: number) => {
    removed.push(names[at] as ByteString);
    remove(options, record, at);
  };
  let j = 0;
  for (let i = 0; i < directory.count; i++) {
    const name = directory.nameOf(i);
    for (; j < count && (names[j] as ByteString) < name; j++) miss(j);
    if (names[j] !== name || directory.states[i] === DROPPED) continue;
    indexes[i] = j;
    if (directory.states[i] === UNREADABLE) {
      carryOver(directory, i, record, j);
      if (record.kinds[j] === DIRECTORY) kept.set(joinBytes(directory.path, name), directory);
    } else {
      judge(directory, i, record, j, options);
    }
    j++;
  }
  for (; j < count; j++) miss(j);
  directory.base = { ordinal, indexes, kinds: record.kinds.slice(), removed, count };
  dropUnreadable(directory);
}

function remove({ onRemoved }: CompareOptions, record: EntriesRecord, j: number): void {
  onRemoved?.(joinBytes(record.path, record.names[j] as ByteString), record.kinds[j] as EntryKind);
}

/** An entry that cannot be read keeps the parent's stat data, with a ctime that no file has: so the next run tries to read it again. */
function carryOver(directory: Directory, i: number, record: EntriesRecord, j: number): void {
  directory.states[i] = SAME;
  directory.kinds[i] = record.kinds[j] as number;
  copyStat(record, j, directory, i);
  directory.markStale(i);
}

/** Entries that are still marked unreadable are not in the parent either, so nothing is known that the snapshot could say of them. */
function dropUnreadable(directory: Directory): void {
  for (let i = 0; i < directory.count; i++) if (directory.states[i] === UNREADABLE) directory.states[i] = DROPPED;
}
