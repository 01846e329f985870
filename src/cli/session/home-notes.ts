/** What `recover` makes of the notes of homes that are lost. `keep-notes.ts` writes them. */
import { displayPath, displayText, shellWord } from '../../core/display.ts';
import { toBytes } from '../../core/path-bytes.ts';
import { type HomeNote, type NotedRepository, parseNote } from '../../home/note.ts';
import { readHomeNotes } from '../../peer/local/directory/home-notes.ts';
import { optionOf } from '../command-line/filter-rules.ts';

/** The newest note of a home on any of the peers. */
export interface FoundNote extends HomeNote {
  /** What the home calls each peer on which a note of it lies, by the peer's path. */
  readonly names: ReadonlyMap<string, string>;
}

/** By ID of the home. */
export type Notes = ReadonlyMap<string, FoundNote>;

/** Clocks of machines that share a peer may differ; but no home notes what it will do the day after tomorrow. */
const MOST_AHEAD_MS = 24 * 60 * 60 * 1000;
/** Of a note whose time is not believed: any other is newer. */
const OLDEST = '0001-01-01T00:00:00Z';

/**
 * A note of a time that is yet to come counts where there is no other: planted, it would win for ever; and where this machine's clock has
 * stopped, all are.
 * @param paths of local peers @param onToCome is told of each
 */
export async function notesOn(paths: Iterable<string>, now: number, onToCome: (message: string) => void = () => {}): Promise<Notes> {
  const notes = new Map<string, FoundNote>();
  for (const path of paths) {
    for (const [id, text] of await readHomeNotes(path)) {
      const read = parseNote(text);
      if (read === undefined) continue;
      const isToCome = Date.parse(read.at) > now + MOST_AHEAD_MS;
      if (isToCome)
        onToCome(
          `the note of home ${id} on ${displayPath(toBytes(path))} is of ${read.at}, which is yet to come: it counts only where there is no other`,
        );
      const note = isToCome ? { ...read, at: OLDEST } : read;
      const known = notes.get(id);
      const names = new Map([...(known?.names ?? []), [path, note.peer.name]]);
      notes.set(id, { ...(known === undefined || note.at > known.at ? note : known), names });
    }
  }
  return notes;
}

/** What a lost home had noted about its peer at this path. @param owner ID of that home; without it, the home with the newest note */
export async function peerNoted(path: string, owner: string | undefined, now: number): Promise<HomeNote['peer'] | undefined> {
  const notes = await notesOn([path], now);
  if (owner !== undefined) return notes.get(owner)?.peer;
  return [...notes.values()].reduce<HomeNote | undefined>(
    (newest, note) => (newest === undefined || note.at > newest.at ? note : newest),
    undefined,
  )?.peer;
}

/** The newest note of these homes. */
export function newestOf(notes: Notes, owners: readonly string[]): FoundNote | undefined {
  return notesOf(notes, owners)[0];
}

/** The newest note of these homes that says something of the repository. */
export function noteOf(notes: Notes, repository: string, owners: readonly string[]): FoundNote | undefined {
  return notesOf(notes, owners).find(({ repositories }) => repositories.some(({ name }) => name === repository));
}

/** The newest first. */
function notesOf(notes: Notes, owners: readonly string[]): FoundNote[] {
  return owners.flatMap((id) => notes.get(id) ?? []).sort((a, b) => (a.at < b.at ? 1 : -1));
}

/** What one of these homes noted of a repository; of several the newest. */
export function noted(notes: Notes, repository: string, owners: readonly string[]): NotedRepository | undefined {
  return noteOf(notes, repository, owners)?.repositories.find(({ name }) => name === repository);
}

/**
 * Names by which the home does not mean the local peers that have them here: it calls the peer that has the name otherwise, or another
 * one so. A peer without a note of it is none of its own, because every commit leaves one on each.
 * @param local peers as they are set up now, each with its path
 */
export function misnamed({ names }: FoundNote, local: readonly (readonly [{ readonly name: string }, string])[]): string[] {
  return local.flatMap(([{ name }, path]) => {
    const former = names.get(path);
    if (former === name) return [];
    return former === undefined ? [name] : [name, former];
  });
}

/** The newest note of any home on these peers that says where a repository of this name came from. @param paths of local peers */
export async function notedSource(paths: Iterable<string>, repository: string, now: number): Promise<NotedRepository | undefined> {
  const newestFirst = [...(await notesOn(paths, now)).values()].sort((a, b) => (a.at < b.at ? 1 : -1));
  return newestFirst.flatMap(({ repositories }) => repositories.filter(({ name, source }) => name === repository && source !== ''))[0];
}

/** The command that brings the repository up to date as before. It is shown and never run: anybody may have written the note. */
export function addCommand(name: string, { source, metadata, filters, copyLinks }: NotedRepository): string {
  const options = filters.map((rule) => {
    const { option, value } = optionOf(rule);
    const shown = displayPath(value);
    // A value that looks like an option must stand in one word with its own.
    return shown.startsWith('-') ? shellWord(`--${option}=${shown}`) : `--${option} ${shellWord(shown)}`;
  });
  return [
    'shardctl add',
    shellWord(displayPath(source)),
    '--name',
    shellWord(displayText(name)),
    ...(metadata ? [] : ['--no-metadata']),
    ...(copyLinks === true ? ['--copy-links'] : []),
    ...options,
  ].join(' ');
}
