/** What lstat's mode says an entry is. */
import { DIRECTORY, type EntryKind, FILE, SYMLINK } from '../../core/model.ts';

const S_IFMT = 0o170000;

const SPECIAL: ReadonlyMap<number, string> = new Map([
  [0o010000, 'a FIFO'],
  [0o140000, 'a socket'],
  [0o020000, 'a character device'],
  [0o060000, 'a block device'],
]);

/** Undefined for what is no entry: FIFOs, sockets, devices. */
export function kindOf(mode: number): EntryKind | undefined {
  switch (mode & S_IFMT) {
    case 0o100000:
      return FILE;
    case 0o040000:
      return DIRECTORY;
    case 0o120000:
      return SYMLINK;
    default:
      return undefined;
  }
}

/** What people call something that is no entry. */
export function specialOf(mode: number): string {
  return SPECIAL.get(mode & S_IFMT) ?? 'a special file';
}
