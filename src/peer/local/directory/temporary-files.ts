/** What is written in a local peer's `tmp` before it gets its name, and is left there by runs that die. */
import { randomUUID } from 'node:crypto';
import { lstat, readdir, unlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { isForbidden } from '../../../core/errno.ts';
import { errnoOf } from '../../../core/errors.ts';
import { removeFile } from '../../../core/remove-file.ts';
import { ifThere } from './vanishing-files.ts';

/** A file in `tmp` to which nobody has written for this long belongs to a run that has died. */
const ABANDONED_MS = 10 * 60 * 1000;

/** Files as copies and removals name them; anything else in `tmp` is not ours. */
const OURS = /^(?:leaving\.[a-z2-7]+\.)?[0-9a-f-]{36}(?:\.car)?$/;

/**
 * Removes what dead runs have left in `tmp`. Another home may be writing here at this moment, so files that were written to lately stay.
 * Their age is told by the clock of the file system, the only clock that is the same for all homes.
 * @param isWanted whether a file is needed, however old it is
 */
export async function sweepTemporary(folder: string, isWanted: (name: string) => Promise<boolean>): Promise<void> {
  const probe = join(folder, randomUUID());
  await writeFile(probe, '', { flag: 'wx' });
  const { mtimeMs: now } = await lstat(probe);
  await unlink(probe);
  for (const file of await readdir(folder)) {
    if (!OURS.test(file)) continue;
    const path = join(folder, file);
    const found = await ifThere(lstat(path));
    // A directory of such a name is none of ours.
    if (found === undefined || found.isDirectory() || now - found.mtimeMs <= ABANDONED_MS || (await isWanted(file))) continue;
    await removeFile(path).catch(unlessNotOurs);
  }
}

/** Another user's file, where only its owner may remove it, or a directory that has been put there meanwhile: it stays, and holds up no put. */
function unlessNotOurs(error: unknown): void {
  const errno = errnoOf(error);
  if (!isForbidden(errno) && errno !== 'EISDIR') throw error;
}
