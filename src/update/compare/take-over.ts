/**
 * The second half of compare: what did not have to be imported takes its CID from the parent, and what was imported again
 * and came out the same (a racy file, a touched one in a tree without metadata) is the same.
 * In, out: the import steps. Holds: the CIDs of one directory of the parent.
 */

import { type Codec, DIRECTORY } from '../../core/model.ts';
import type { ColdRecord } from '../../index/entries/cold-file.ts';
import type { EntriesReader } from '../../index/entries/reader.ts';
import { CHANGED, CID_COLUMN_BYTES, type Directory, NEW, SAME } from '../../walk/directory.ts';
import { type FilledStep, isFilled } from '../../walk/walk-step.ts';

export async function* takeOver<Step extends { readonly kind: string }>(
  steps: AsyncIterable<Step | FilledStep>,
  base: EntriesReader | undefined,
): AsyncGenerator<Step | FilledStep, void, void> {
  for await (const step of steps) {
    if (base !== undefined && isFilled(step)) adopt(step.directory, base);
    yield step;
  }
}

function adopt(directory: Directory, entries: EntriesReader): void {
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
      // The parent had listed it when it vanished. Here it is walked again, unless the parent's record stands in for the walk.
      if (directory.kept) directory.drop(i);
      else directory.states[i] = NEW;
    } else if (directory.states[i] === SAME) {
      if (!areTaken) directory.setRoot(i, cold.cids[cid] as Codec, cold.cids, cid + 1, cold.dagSizes[at] as number);
    } else if (directory.kinds[i] === DIRECTORY && base.kinds[at] === DIRECTORY && cold.cids[cid] !== 0) {
      // What it was: "link" makes of it what it is.
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
