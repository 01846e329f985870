/** What a run did, told as its last event. */
import type { Summary } from '../core/events.ts';
import { isHeld, type SnapshotRecord } from '../core/model.ts';
import type { RunControl } from '../storing/open-home.ts';
import type { ShardSink } from '../storing/shard-sink.ts';
import type { Start } from './prepare.ts';
import type { Tally } from './tally.ts';

/** What the pipeline has counted. */
export interface Outcome {
  readonly tally: Tally;
  readonly sink: ShardSink;
  /** Entries of the parent that are gone. */
  readonly removed: number;
  readonly unchanged: boolean;
}

/** What a run has recorded. */
export interface Recorded {
  readonly snapshot: SnapshotRecord;
  /** Shards that were to get more replicas, and of which no whole copy can be read. */
  readonly unreadableShards: number;
}

/** @param outcome undefined when the sweep found nothing to do, and there was no pipeline: the counts are the snapshot's then */
export function summarize(
  { snapshot, unreadableShards }: Recorded,
  start: Start,
  outcome: Outcome | undefined,
  control: RunControl,
): Summary {
  const { tally, sink } = outcome ?? {};
  const { files, directories, symlinks, bytes } = tally ?? { ...snapshot.counts, bytes: snapshot.bytes };
  const freeAfter = start.ledger.freeBytes();
  const summary: Summary = {
    repository: snapshot.repository,
    snapshot: snapshot.cid,
    number: snapshot.number,
    tree: snapshot.tree,
    unchanged: outcome?.unchanged ?? true,
    files,
    directories,
    symlinks,
    bytes,
    newFiles: tally?.newFiles ?? 0,
    resumedFiles: tally?.resumedFiles ?? 0,
    changedEntries: (tally?.different ?? 0) + (outcome?.removed ?? 0),
    newBlocks: sink?.packed.newBlocks ?? 0,
    newBytes: sink?.packed.newBytes ?? 0,
    newShards: sink?.packed.sealed.length ?? 0,
    peers: [...start.freeBefore].map(([name, before]) => ({
      name,
      freeBefore: before,
      freeAfter: freeAfter.get(name) ?? before,
      placedBytes: sink?.placedBytes.get(name) ?? 0,
    })),
    problems: tally === undefined ? { unreadable: 0, vanished: 0, changed: 0, special: 0 } : { ...tally.problems },
    ...gateOf(snapshot),
    ...(isReleased(snapshot, start.parent?.snapshot) ? { released: true } : {}),
    ...(unreadableShards > 0 ? { unreadableShards } : {}),
    seconds: (control.now() - start.at) / 1000,
  };
  control.emit({ type: 'summary', ...summary });
  return summary;
}

/** Whether the snapshot that the source was compared with is still the newest, and is held back no more. */
function isReleased(snapshot: SnapshotRecord, newest: SnapshotRecord | undefined): boolean {
  return newest !== undefined && newest.number === snapshot.number && isHeld(newest) && !isHeld(snapshot);
}

function gateOf({ gate }: SnapshotRecord): Pick<Summary, 'gate'> {
  if (gate === undefined) return {};
  const { outcome, kinds, count, asBefore, leftOut, lacking } = gate;
  const more = { ...(asBefore === undefined ? {} : { asBefore }), ...(leftOut === undefined ? {} : { leftOut }) };
  return { gate: { outcome, kinds, count, ...more, ...(lacking === undefined ? {} : { lacking }) } };
}
