/** Whether an entry is the parent's, by its stat data: size, mtime, ctime and inode, like restic; mode on top. */

import { DIRECTORY, FILE, type Trust } from '../../core/model.ts';
import type { EntriesRecord } from '../../index/entries/hot-file.ts';
import {
  CHANGED,
  type Directory,
  type EntryState,
  KIND_DIFFERS,
  METADATA,
  MODE_DIFFERS,
  MTIME_DIFFERS,
  NO_CTIME,
  SAME,
  SIZE_DIFFERS,
} from '../../walk/directory.ts';

export interface JudgeOptions extends Trust {
  /** Mode and mtime are in the tree: without them, those of a directory make no difference. */
  readonly metadata: boolean;
}

/** What is compared: the columns of a record. */
export type StatColumns = Pick<EntriesRecord, 'kinds' | 'modes' | 'sizes' | 'mtimes' | 'ctimes' | 'inodes'>;

/** Whether entry `i` is entry `j` of a record in everything. */
export function isSame(directory: Directory, i: number, record: StatColumns, j: number, trust: JudgeOptions): boolean {
  return differencesOf(directory, i, record, j) === 0 && stateOf(directory, i, record, j, trust, 0) === SAME;
}

/** Sets the state of entry `i` from entry `j` of the parent's record. */
export function judge(directory: Directory, i: number, record: EntriesRecord, j: number, trust: JudgeOptions): void {
  const differences = differencesOf(directory, i, record, j);
  const state = stateOf(directory, i, record, j, trust, differences);
  directory.states[i] = state;
  if (state === SAME || differences === 0) return;
  directory.differences ??= new Uint8Array(directory.count);
  directory.differences[i] = differences;
}

function differencesOf(directory: Directory, i: number, record: StatColumns, j: number): number {
  const kind = directory.kinds[i];
  if (kind !== record.kinds[j]) return KIND_DIFFERS;
  // The size of a directory says nothing about it.
  const size = kind !== DIRECTORY && directory.sizes[i] !== record.sizes[j] ? SIZE_DIFFERS : 0;
  const mtime = directory.mtimes[i] !== record.mtimes[j] ? MTIME_DIFFERS : 0;
  return size | mtime | (directory.modes[i] !== record.modes[j] ? MODE_DIFFERS : 0);
}

function stateOf(directory: Directory, i: number, record: StatColumns, j: number, trust: JudgeOptions, differences: number): EntryState {
  const kind = directory.kinds[i];
  if (kind === DIRECTORY && !trust.metadata) return (differences & KIND_DIFFERS) !== 0 ? CHANGED : SAME;
  // A directory is listed whatever its stat data say; only its own metadata matter here.
  if (kind === DIRECTORY || (differences & KIND_DIFFERS) !== 0) return differences === 0 ? SAME : CHANGED;
  if ((differences & (SIZE_DIFFERS | MTIME_DIFFERS)) !== 0 || (trust.checksum && kind === FILE)) return CHANGED;
  // Compared in place: a bigint in a variable is an object, and there are a million of them.
  const held =
    (directory.ctimes[i] === record.ctimes[j] || (trust.ignoreCtime && record.ctimes[j] !== NO_CTIME)) &&
    (directory.inodes[i] === record.inodes[j] || trust.ignoreInode);
  if (!held) return CHANGED;
  // What is ignored now stays as it was known, so that a run that does not ignore it sees it.
  if (trust.ignoreCtime) directory.ctimes[i] = record.ctimes[j] as bigint;
  if (trust.ignoreInode) directory.inodes[i] = record.inodes[j] as bigint;
  return differences === 0 ? SAME : kind === FILE ? METADATA : CHANGED;
}
