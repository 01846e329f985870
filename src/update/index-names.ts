/**
 * Whether a tree has a name by which the gate finds indexes. One without has nothing to judge, and is not read for the gate: its update
 * costs what it costs without a gate.
 *
 * It is noted with each snapshot that is judged. The next run knows by the note, and by the names of what came; where there is no note,
 * all names are looked through once, in the entries that this run has written.
 */
import type { GateOrder } from '../core/gate.ts';
import type { ByteString, SnapshotRecord } from '../core/model.ts';
import type { Judgement } from '../core/verdict.ts';
import { EntriesDamaged } from '../index/entries/format.ts';
import type { IngestRun } from './ingest-run.ts';

/** What the gate says of a tree without such a name. */
export const NOTHING_TO_JUDGE: Omit<Judgement, 'by'> = {
  outcome: 'passed',
  kinds: [],
  count: 0,
  contradictions: [],
  hasIndexNames: false,
};

interface Named {
  readonly run: Pick<IngestRun, 'request' | 'home'>;
  readonly gate: GateOrder;
  /** What the run has compared the source with. */
  readonly parent: SnapshotRecord | undefined;
  /** Of the new snapshot, whose entries are written. */
  readonly number: number;
  /** Whether something came that has such a name. */
  readonly hasNew: boolean;
}

/** @returns undefined where that is not known: its entries cannot be read */
export async function hasIndexNames({ run, gate, parent, number, hasNew }: Named): Promise<boolean | undefined> {
  if (hasNew) return true;
  // Of another version of the gate, or of one that was asked for something else, nothing is taken over.
  const known = parent?.gate?.by === gate.by ? parent.gate.hasIndexNames : undefined;
  return known ?? anyEntryIsNamed(run, number, await gate.indexNames());
}

function anyEntryIsNamed({ request, home }: Named['run'], number: number, names: ReadonlySet<ByteString>): boolean | undefined {
  const entries = home.index.entries.read(request.repository, number);
  try {
    // Directory by directory, because to read patched entries as a whole they have to be made whole.
    for (const record of entries?.lookup().subtree('') ?? []) if (record.names.some((name) => names.has(name))) return true;
    return entries === undefined ? undefined : false;
  } catch (error) {
    if (error instanceof EntriesDamaged) return undefined;
    throw error;
  } finally {
    entries?.close();
  }
}
