/**
 * takeOver — the second half of compare, after the import. Entries that are the same get the CIDs that they have in the parent.
 * A file that was read again and came out with the parent's CID (a racy file, or a touched one in a tree without metadata) is the same, too.
 * In, out: the import steps. Holds: the CIDs of one directory of the parent.
 */
import { type Codec, DIRECTORY } from '../../core/model.ts';
import type { ColdRecord } from '../../index/entries/cold-file.ts';
import type { ParentEntries } from '../../index/entries/some-entries.ts';
import { CHANGED, CID_COLUMN_BYTES, type Directory, NEW, SAME } from '../../walk/directory.ts';
import { type FilledStep, isFilled } from '../../walk/walk-step.ts';

export async function* takeOver<Step extends { readonly kind: string }>(
  steps: AsyncIterable<Step | FilledStep>,
  base: ParentEntries | undefined,
): AsyncGenerator<Step | FilledStep, void, void> {
  for await (const step of steps) {
    if (base !== undefined && isFilled(step)) takeRoots(step.directory, base);
    yield step;
  }
}

function takeRoots(directory: Directory, entries: ParentEntries): void {
  const { base } = directory;
  if (base === undefined) return;
  const cold = entries.cold(base.ordinal, base.count);
  const areTaken = directory.record !== undefined;
  if (areTaken) directory.takeRoots(cold.cids, cold.dagSizes);
  for (let i = 0; i < directory.count; i++) {
    const at = base.indexes[i] as number;
    if (at < 0) continue;
    const cid = at * CID_COLUMN_BYTES;
    if (directory.states[i] === SAME && cold.cids[cid] === 0) {
      // In the parent's run this directory vanished after it was listed, so it has no CID there. If the walk of this run has entered it,
      // it is new. If the parent's record stands in for the walk (`kept`), nothing is known of it.
      if (directory.kept) directory.drop(i);
      else directory.states[i] = NEW;
    } else if (directory.states[i] === SAME) {
      if (!areTaken) directory.setRoot(i, cold.cids[cid] as Codec, cold.cids, cid + 1, cold.dagSizes[at] as number);
    } else if (directory.kinds[i] === DIRECTORY && base.kinds[at] === DIRECTORY && cold.cids[cid] !== 0) {
      // The CID that the directory had in the parent: `link` reads the old HAMT by it, and replaces it with the new one.
      directory.setRoot(i, cold.cids[cid] as Codec, cold.cids, cid + 1, cold.dagSizes[at] as number);
    } else if (directory.states[i] === CHANGED && sameCid(directory, i, cold, at)) {
      directory.states[i] = SAME;
      directory.refreshed++;
    }
  }
}

function sameCid({ cids }: Directory, i: number, cold: ColdRecord, at: number): boolean {
  const from = i * CID_COLUMN_BYTES;
  return (
    cids?.[from] !== 0 && cids?.compare(cold.cids, at * CID_COLUMN_BYTES, (at + 1) * CID_COLUMN_BYTES, from, from + CID_COLUMN_BYTES) === 0
  );
}
