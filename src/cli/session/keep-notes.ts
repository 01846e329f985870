/** What a home notes about itself on its local peers, for the day when it is lost (`home-notes.ts`). */
import type { Config, LocalPeerConfig } from '../../home/config.ts';
import { readIdentity } from '../../home/identity.ts';
import { type Noted, noteText } from '../../home/note-text.ts';
import type { Index } from '../../index/index.ts';
import { writeHomeNote } from '../../peer/local/directory/home-notes.ts';
import type { Context } from '../command-line/context.ts';
import { notedOf, notedOfHome } from './noted-settings.ts';

/** Writes the notes after a run that changed something. One that cannot be written is left out: nothing depends on it. @param paths of the local peers */
export async function keepNotes(
  { home, now }: Context,
  config: Config,
  index: Pick<Index, 'repositories' | 'snapshots'>,
  peers: ReadonlyMap<LocalPeerConfig, string>,
): Promise<void> {
  const id = readIdentity(home)?.id;
  if (id === undefined) return;
  const noted: Noted = {
    repositories: index.repositories(),
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
