/**
 * The home's note: what `recover` needs of a lost home and no snapshot says, namely how repositories are imported and the settings of
 * peers. It lies on local peers (`peer/local/directory/home-notes.ts`), which other homes may write to as well. So `recover` takes over what a note
 * says of replication, allocators, names and sizes, and only shows what it says of sources and filters: a planted note must not make
 * the next update publish another directory.
 */
import { z } from 'zod';
import type { RepositoryRecord } from '../core/model.ts';
import type { LocalPeerConfig } from './config.ts';
import { placement, replication } from './config-schema.ts';

const FORMAT = 1;

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

/** @param at when the note is written, in milliseconds since 1970 */
export function noteText(
  repositories: readonly RepositoryRecord[],
  { name, tags, capacity, reserve, weight }: LocalPeerConfig,
  at: number,
): string {
  const noted = repositories.map(({ head: _, ...record }) => record);
  return `${JSON.stringify({ format: FORMAT, at: new Date(at).toISOString(), repositories: noted, peer: { name, tags, capacity, reserve, weight } }, null, 2)}\n`;
}

/** Undefined when the text is no note, or of another format. */
export function parseNote(text: string): HomeNote | undefined {
  try {
    return note.safeParse(JSON.parse(text)).data;
  } catch {
    return undefined;
  }
}
