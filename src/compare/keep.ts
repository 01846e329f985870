/** The parent's subtree in the place of a directory that could not be looked at. */
import { Directory, SAME, type WalkStep } from '../directory.ts';
import type { EntriesRecord } from '../index-store/entries-reader.ts';
import type { Cursor } from './cursor.ts';

/**
 * Walks the subtree as the parent has it: everything in it is the same.
 * @param record of its top, just taken from `parent`, in which what is below comes next @param above the directory that it is an entry of
 */
export function* keepSubtree(record: EntriesRecord, above: Directory, parent: Cursor): Generator<WalkStep, void, void> {
  const top = record.path;
  const open: Directory[] = [];
  for (let next: EntriesRecord | undefined = record; next !== undefined; next = parent.isBelow(top) ? parent.advance() : undefined) {
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
