/** What a home notes about itself on its local peers, for the day when it is lost (`home-notes.ts`). */
import type { LocalPeerConfig } from '../../home/config.ts';
import { readIdentity } from '../../home/identity.ts';
import { noteText } from '../../home/note-text.ts';
import type { Index } from '../../index/index.ts';
import { writeHomeNote } from '../../peer/local/directory/home-notes.ts';
import type { Context } from '../command-line/context.ts';

/** Writes the notes after a run that changed something. One that cannot be written is left out: nothing depends on it. @param paths of the local peers */
export async function keepNotes(
  { home, now }: Context,
  index: Pick<Index, 'repositories' | 'snapshots'>,
  peers: ReadonlyMap<LocalPeerConfig, string>,
): Promise<void> {
  const id = readIdentity(home)?.id;
  if (id === undefined) return;
  const repositories = index.repositories();
  for (const [peer, path] of peers) {
    try {
      await writeHomeNote(
        path,
        id,
        noteText(repositories, (name) => index.snapshots(name), peer, now()),
      );
    } catch {
      // The disk is missing or full: the next run that changes something tries again.
    }
  }
}
