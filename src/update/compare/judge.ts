/** Decides by stat data whether an entry is the same as in the parent: by size, mtime, ctime and inode, as restic does, and by mode. */
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
  /** Whether mode and mtime are stored in the tree. If not, a directory that differs in nothing else is the same. */
  readonly metadata: boolean;
}

/** The columns of a record that are compared. */
export type StatColumns = Pick<EntriesRecord, 'kinds' | 'modes' | 'sizes' | 'mtimes' | 'ctimes' | 'inodes'>;

/** Whether entry `i` has the kind and the stat data of entry `j` of a record. */
export function hasSameStat(directory: Directory, i: number, record: StatColumns, j: number, trust: JudgeOptions): boolean {
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
  // File systems give directories any size, whatever is in them.
  const size = kind !== DIRECTORY && directory.sizes[i] !== record.sizes[j] ? SIZE_DIFFERS : 0;
  const mtime = directory.mtimes[i] !== record.mtimes[j] ? MTIME_DIFFERS : 0;
  return size | mtime | (directory.modes[i] !== record.modes[j] ? MODE_DIFFERS : 0);
}

function stateOf(directory: Directory, i: number, record: StatColumns, j: number, trust: JudgeOptions, differences: number): EntryState {
  const kind = directory.kinds[i];
  if (kind === DIRECTORY && !trust.metadata) return (differences & KIND_DIFFERS) !== 0 ? CHANGED : SAME;
  // What is in a directory is compared by itself; here only its own mode and mtime count.
  if (kind === DIRECTORY || (differences & KIND_DIFFERS) !== 0) return differences === 0 ? SAME : CHANGED;
  if ((differences & (SIZE_DIFFERS | MTIME_DIFFERS)) !== 0 || (trust.checksum && kind === FILE)) return CHANGED;
  // Compared in place: a bigint in a variable is an object, and a million entries would make a million objects.
  const isIdentified =
    (directory.ctimes[i] === record.ctimes[j] || (trust.ignoreCtime && record.ctimes[j] !== NO_CTIME)) &&
    (directory.inodes[i] === record.inodes[j] || trust.ignoreInode);
  if (!isIdentified) return CHANGED;
  // Where this run ignores ctime or inode, the parent's value is kept, so that a later run that does not ignore it sees the difference.
  if (trust.ignoreCtime) directory.ctimes[i] = record.ctimes[j] as bigint;
  if (trust.ignoreInode) directory.inodes[i] = record.inodes[j] as bigint;
  return differences === 0 ? SAME : kind === FILE ? METADATA : CHANGED;
}
