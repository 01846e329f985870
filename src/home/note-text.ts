/** Writes the home's note (`note.ts`), after each run that changes something: so without zod, whose loading takes longer than a small update. */
import { isHeld, type RepositoryRecord, type SnapshotRecord } from '../core/model.ts';
import type { LocalPeerConfig } from './config.ts';

export const NOTE_FORMAT = 1;
/** The newest are noted: a mirror that is contradicted every hour has so many in six weeks, and a note stays below 4 MiB. */
const MOST_HELD = 1000;

/** A snapshot that the gate holds back. By tree and time, because `prune` gives a snapshot another CID. */
interface NotedHeld {
  readonly tree: string;
  /** RFC 3339. */
  readonly time: string;
  /** Contradictions that the gate has found. */
  readonly count: number;
}

/** @param snapshotsOf all of a repository, oldest first @param at when the note is written, in milliseconds since 1970 */
export function noteText(
  repositories: readonly RepositoryRecord[],
  snapshotsOf: (repository: string) => readonly SnapshotRecord[],
  { name, tags, capacity, reserve, weight }: LocalPeerConfig,
  at: number,
): string {
  // Commands of hooks may hold passwords, and other homes read what lies on a peer.
  const noted = repositories.map(({ head: _, held: __, upkeep: ___, ...record }) => {
    const held = heldIn(snapshotsOf(record.name));
    return { ...record, ...(held.length === 0 ? {} : { heldBack: held }) };
  });
  return `${JSON.stringify({ format: NOTE_FORMAT, at: new Date(at).toISOString(), repositories: noted, peer: { name, tags, capacity, reserve, weight } }, null, 2)}\n`;
}

function heldIn(snapshots: readonly SnapshotRecord[]): NotedHeld[] {
  return snapshots
    .filter(isHeld)
    .slice(-MOST_HELD)
    .map(({ tree, time, gate }) => ({ tree, time, count: Math.max(1, gate?.count ?? 1) }));
}
