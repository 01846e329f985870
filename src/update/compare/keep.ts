/** Puts the parent's subtree in the place of a directory that could not be looked at. */
import type { EntriesRecord } from '../../index/entries/hot-file.ts';
import { Directory } from '../../walk/directory.ts';
import type { WalkStep } from '../../walk/walk-step.ts';
import type { Cursor } from './cursor.ts';

/**
 * Yields the walk of the subtree as the parent has it, every entry of which is the same.
 * @param record the parent's record of the top of the subtree; `parent` stands right after it, so the records below come next
 * @param above the directory that the top is an entry of
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
  const directory = Directory.asInParent(record, above, above.names.indexOf(name));
  directory.kept = true;
  return directory;
}
