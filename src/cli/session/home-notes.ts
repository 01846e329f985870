/** What `recover` makes of the notes of homes that are lost. `keep-notes.ts` writes them. */
import { displayPath, displayText, shellWord } from '../../core/display.ts';
import { type HomeNote, type NotedRepository, parseNote } from '../../home/note.ts';
import { readHomeNotes } from '../../peer/local/directory/home-notes.ts';
import { optionOf } from '../command-line/filter-rules.ts';

/** By ID of the home: the newest note on any of the peers. */
export type Notes = ReadonlyMap<string, HomeNote>;

/** @param paths of local peers */
export async function notesOn(paths: Iterable<string>): Promise<Notes> {
  const notes = new Map<string, HomeNote>();
  for (const path of paths) {
    for (const [id, text] of await readHomeNotes(path)) {
      const note = parseNote(text);
      if (note !== undefined && note.at > (notes.get(id)?.at ?? '')) notes.set(id, note);
    }
  }
  return notes;
}

/** What a lost home had noted about its peer at this path. @param owner ID of that home; without it, the home with the newest note */
export async function peerNoted(path: string, owner: string | undefined): Promise<HomeNote['peer'] | undefined> {
  const notes = await notesOn([path]);
  if (owner !== undefined) return notes.get(owner)?.peer;
  return [...notes.values()].reduce<HomeNote | undefined>(
    (newest, note) => (newest === undefined || note.at > newest.at ? note : newest),
    undefined,
  )?.peer;
}

/** The newest note of these homes. */
export function newestOf(notes: Notes, owners: readonly string[]): HomeNote | undefined {
  return owners.flatMap((id) => notes.get(id) ?? []).sort((a, b) => (a.at < b.at ? 1 : -1))[0];
}

/** What one of these homes noted of a repository; of several the newest. */
export function noted(notes: Notes, repository: string, owners: readonly string[]): NotedRepository | undefined {
  const own = owners.flatMap((id) => notes.get(id) ?? []).sort((a, b) => (a.at < b.at ? 1 : -1));
  return own.flatMap(({ repositories }) => repositories.filter(({ name }) => name === repository))[0];
}

/** The newest note of any home on these peers that says where a repository of this name came from. @param paths of local peers */
export async function notedSource(paths: Iterable<string>, repository: string): Promise<NotedRepository | undefined> {
  const newestFirst = [...(await notesOn(paths)).values()].sort((a, b) => (a.at < b.at ? 1 : -1));
  return newestFirst.flatMap(({ repositories }) => repositories.filter(({ name, source }) => name === repository && source !== ''))[0];
}

/** The command that brings the repository up to date as before. It is shown and never run: anybody may have written the note. */
export function addCommand(name: string, { source, metadata, filters, copyLinks }: NotedRepository): string {
  const options = filters.map((rule) => {
    const { option, value } = optionOf(rule);
    return `--${option} ${shellWord(displayPath(value))}`;
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
