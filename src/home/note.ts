/**
 * What a home would want to know again if it were lost, and what no snapshot says: how its repositories are imported, and what its
 * peers are to it. It lies on the local peers (`peer/home-notes.ts`), which another home may write to as well. So what a note says of
 * rules and shares is taken over, and what it says of sources and filters is only shown: a note that was planted must not have the
 * next update publish another directory.
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
  /** The peer on which the note lies, as that home calls and uses it. */
  peer: z.object({ name: z.string(), ...placement }),
});

export type HomeNote = z.output<typeof note>;
export type NotedRepository = z.output<typeof repository>;

/** @param at milliseconds since 1970 of the newest thing that it says */
export function noteText(
  repositories: readonly RepositoryRecord[],
  { name, tags, capacity, reserve, weight }: LocalPeerConfig,
  at: number,
): string {
  const noted = repositories.map(({ head: _, ...record }) => record);
  return `${JSON.stringify({ format: FORMAT, at: new Date(at).toISOString(), repositories: noted, peer: { name, tags, capacity, reserve, weight } }, null, 2)}\n`;
}

/** Undefined when it is none, or of another format. */
export function parseNote(text: string): HomeNote | undefined {
  try {
    return note.safeParse(JSON.parse(text)).data;
  } catch {
    return undefined;
  }
}
