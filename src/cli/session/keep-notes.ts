/** What a home notes about itself on its local peers, for the day when it is lost (`home-notes.ts`). */
import type { RepositoryRecord } from '../../core/model.ts';
import type { Config, LocalPeerConfig } from '../../home/config.ts';
import { repositoriesWithHeads } from '../../home/heads.ts';
import type { HomePaths } from '../../home/home.ts';
import { readIdentity } from '../../home/identity.ts';
import type { NotedRepository } from '../../home/note.ts';
import { type Noted, noteText } from '../../home/note-text.ts';
import type { Index } from '../../index/index.ts';
import { writeHomeNote } from '../../peer/local/directory/home-notes.ts';
import type { Context } from '../command-line/context.ts';
import { notedOf, notedOfHome } from './noted-settings.ts';

interface Keeping {
  /** Paths of the local peers. */
  readonly peers: ReadonlyMap<LocalPeerConfig, string>;
  /** Whether the index named any repository when the run began: if so, and if it names none now, the run has removed them. */
  readonly hadRepositories: boolean;
}

/** Writes the notes after a run that changed something. One that cannot be written is left out: nothing depends on it. */
export async function keepNotes(
  { home, now }: Context,
  config: Config,
  index: Pick<Index, 'repositories' | 'snapshots'>,
  { peers, hadRepositories }: Keeping,
): Promise<void> {
  const id = readIdentity(home)?.id;
  if (id === undefined) return;
  const repositories = index.repositories();
  const lost = lostIn(home, repositories, hadRepositories);
  const former = lost === undefined ? [] : await notedBefore(peers.values(), id, now());
  // One that cannot be read may say what nothing else does.
  if (former === undefined) return;
  const noted: Noted = {
    repositories: repositories.map((record) => withSource(record, former)),
    lost: former.filter(({ name }) => lost?.(name)),
    snapshotsOf: (name) => index.snapshots(name),
    settings: notedOfHome(config),
    settingsOf: notedOf,
  };
  for (const [peer, path] of peers) {
    try {
      await writeHomeNote(path, id, noteText(noted, peer, now()));
    } catch {
      // The disk is missing or full: the next run that changes something tries again.
    }
  }
}

/**
 * Which repositories of the note before are lost and not removed, so that `recover` has still to find what was noted of them: those that
 * have a head and are not in the index; all of them where it is empty, and was when the run began.
 * @returns undefined where the index knows all that the note before may say
 */
function lostIn(
  { heads }: HomePaths,
  repositories: readonly RepositoryRecord[],
  hadRepositories: boolean,
): ((name: string) => boolean) | undefined {
  const there = new Set(repositories.map(({ name }) => name));
  if (there.size === 0 && !hadRepositories) return () => true;
  const lost = new Set(repositoriesWithHeads(heads).filter((name) => !there.has(name)));
  return lost.size > 0 || repositories.some(({ source }) => source === '') ? (name) => lost.has(name) : undefined;
}

/** What the newest of the home's notes says of its repositories; undefined where a peer's disk cannot be read. Loads zod. */
async function notedBefore(paths: Iterable<string>, id: string, now: number): Promise<readonly NotedRepository[] | undefined> {
  const { notesOn } = await import('./home-notes.ts');
  const notes = await notesOn(paths, now).catch(() => undefined);
  return notes && (notes.get(id)?.repositories ?? []);
}

/** A repository that was recovered does not know where it came from, until `add` says it again; the note before does. */
function withSource(record: RepositoryRecord, former: readonly NotedRepository[]): RepositoryRecord {
  const known = record.source === '' ? former.find(({ name }) => name === record.name) : undefined;
  if (known === undefined) return record;
  const { source, filters, copyLinks } = known;
  return { ...record, source, filters, ...(copyLinks === undefined ? {} : { copyLinks }) };
}
