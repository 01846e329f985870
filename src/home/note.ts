/**
 * The home's note: what `recover` needs of a lost home and no snapshot says, namely how repositories are imported and the settings of
 * peers. It lies on local peers (`peer/local/directory/home-notes.ts`), which other homes may write to as well. So `recover` takes over what a note
 * says of allocators, names, sizes and of as many replicas as there are or more, and only shows what it says of sources, filters, the gate,
 * what is kept and who is waited for: a planted note must not make the next update publish another directory, or half of one, nor the next
 * `check` forget a history, or leave a lost replica as it is. Of what the gate holds back it can only say which of the repository's own
 * snapshots these are.
 * This file checks what others wrote, and loads zod; `note-text.ts` writes.
 */
import { z } from 'zod';
import { placement, replication } from './config-schema.ts';
import { NOTE_FORMAT } from './note-text.ts';

/** Longer than Linux takes an argument of a command, in which a setting is said again. */
const TOO_LONG = 128 * 1024;
const isSetting = ([name, value]: [string, unknown]) => /^[a-z-]{1,40}$/.test(name) && typeof value === 'string' && value.length < TOO_LONG;

/** By the names that `shardctl config` knows them by, as text. One that is none costs the others nothing, nor the sources and filters. */
const settings = z
  .record(z.string(), z.unknown())
  .transform((all) => Object.fromEntries(Object.entries(all).filter(isSetting)) as Record<string, string>);

/** As `NotedHeld`. */
const heldBack = z.object({ tree: z.string(), time: z.string(), count: z.number().int().positive() });

const repository = z.object({
  name: z.string(),
  /** Absolute; empty where nobody knows it any more. It stands in a command, where another would be read as an option. */
  source: z.string().regex(/^(\/|$)/),
  profile: z.string(),
  chunker: z.string().optional(),
  metadata: z.boolean(),
  filters: z.array(z.string().regex(/^[-+] ./s)),
  copyLinks: z.literal(true).optional(),
  replication: replication.optional(),
  allocateBy: z.array(z.string()).min(1).optional(),
  /** Oldest first. */
  heldBack: z.array(heldBack).optional(),
  settings: settings.optional(),
});

const note = z.object({
  format: z.literal(NOTE_FORMAT),
  /** RFC 3339. */
  at: z.iso.datetime(),
  repositories: z.array(repository),
  /** Absent in notes of earlier versions. */
  settings: settings.optional(),
  /** The peer on which the note lies, with the name and settings that the home has for it. */
  peer: z.object({ name: z.string(), ...placement }),
});

export type HomeNote = z.output<typeof note>;
export type NotedRepository = z.output<typeof repository>;

/** Undefined when the text is no note, or of another format. */
export function parseNote(text: string): HomeNote | undefined {
  try {
    return note.safeParse(JSON.parse(text)).data;
  } catch {
    return undefined;
  }
}
