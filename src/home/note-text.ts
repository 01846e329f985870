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

/** Settings that are not the default, by the names that `shardctl config` knows them by, as text. */
export type NotedSettings = Readonly<Record<string, string>>;

/** What is the same in the notes on all peers. */
export interface Noted {
  readonly repositories: readonly RepositoryRecord[];
  /** Those that the index has lost, as an earlier note has them. */
  readonly lost: readonly { readonly name: string }[];
  /** All of a repository, oldest first. */
  readonly snapshotsOf: (repository: string) => readonly SnapshotRecord[];
  /** Those of the home, and those in which a repository differs. */
  readonly settings: NotedSettings;
  readonly settingsOf: (repository: RepositoryRecord) => NotedSettings;
}

/** @param at when the note is written, in milliseconds since 1970 */
export function noteText(
  { repositories, lost, snapshotsOf, settings, settingsOf }: Noted,
  { name, tags, capacity, reserve, weight }: LocalPeerConfig,
  at: number,
): string {
  const noted = repositories.map((record) => {
    // What upkeep and the gate are asked for is among the settings, without hooks.
    const { head: _, held: __, upkeep: ___, gate: ____, ...rest } = record;
    const held = heldIn(snapshotsOf(record.name));
    const own = settingsOf(record);
    return { ...rest, ...(held.length === 0 ? {} : { heldBack: held }), ...(Object.keys(own).length === 0 ? {} : { settings: own }) };
  });
  const peer = { name, tags, capacity, reserve, weight };
  return `${JSON.stringify({ format: NOTE_FORMAT, at: new Date(at).toISOString(), repositories: [...noted, ...lost], settings, peer }, null, 2)}\n`;
}

function heldIn(snapshots: readonly SnapshotRecord[]): NotedHeld[] {
  return snapshots
    .filter(isHeld)
    .slice(-MOST_HELD)
    .map(({ tree, time, gate }) => ({ tree, time, count: Math.max(1, gate?.count ?? 1) }));
}
