/**
 * The home's note: what `recover` needs of a lost home and no snapshot says, namely how repositories are imported and the settings of
 * peers. It lies on local peers (`peer/local/directory/home-notes.ts`), which other homes may write to as well. So `recover` takes over what a note
 * says of replication, allocators, names and sizes, and only shows what it says of sources and filters: a planted note must not make
 * the next update publish another directory. Of what the gate holds back it can only say which of the repository's own snapshots these are.
 */
import { z } from 'zod';
import { isHeld, type RepositoryRecord, type SnapshotRecord } from '../core/model.ts';
import type { LocalPeerConfig } from './config.ts';
import { placement, replication } from './config-schema.ts';

const FORMAT = 1;
/** The newest are noted: a mirror that is contradicted every hour has so many in six weeks, and a note stays below 4 MiB. */
const MOST_HELD = 1000;

/** A snapshot that the gate holds back. By tree and time, because `prune` gives a snapshot another CID. */
const heldBack = z.object({
  tree: z.string(),
  /** RFC 3339. */
  time: z.string(),
  /** Contradictions that the gate has found. */
  count: z.number().int().positive(),
});

const repository = z.object({
  name: z.string(),
  source: z.string(),
  profile: z.string(),
  chunker: z.string().optional(),
  metadata: z.boolean(),
  filters: z.array(z.string()),
  copyLinks: z.literal(true).optional(),
  replication: replication.optional(),
  allocateBy: z.array(z.string()).min(1).optional(),
  /** Oldest first. */
  heldBack: z.array(heldBack).optional(),
});

const note = z.object({
  format: z.literal(FORMAT),
  /** RFC 3339. */
  at: z.iso.datetime(),
  repositories: z.array(repository),
  /** The peer on which the note lies, with the name and settings that the home has for it. */
  peer: z.object({ name: z.string(), ...placement }),
});

export type HomeNote = z.output<typeof note>;
export type NotedRepository = z.output<typeof repository>;
export type NotedHeld = z.output<typeof heldBack>;

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
  return `${JSON.stringify({ format: FORMAT, at: new Date(at).toISOString(), repositories: noted, peer: { name, tags, capacity, reserve, weight } }, null, 2)}\n`;
}

function heldIn(snapshots: readonly SnapshotRecord[]): NotedHeld[] {
  return snapshots
    .filter(isHeld)
    .slice(-MOST_HELD)
    .map(({ tree, time, gate }) => ({ tree, time, count: Math.max(1, gate?.count ?? 1) }));
}

/** Undefined when the text is no note, or of another format. */
export function parseNote(text: string): HomeNote | undefined {
  try {
    return note.safeParse(JSON.parse(text)).data;
  } catch {
    return undefined;
  }
}
