/**
 * What homes note down about themselves on a local peer, beside their marks: `owners/<home>.note`, for the day when a home is lost.
 * Only its owner can read the file: a note says where a mirror's files lie, and some of them are not for everybody.
 */
import { lstat } from 'node:fs/promises';
import { join } from 'node:path';
import { writeDurably } from '../../../core/durable-files.ts';
import { isForbidden } from '../../../core/errno.ts';
import { errnoOf, ioError } from '../../../core/errors.ts';
import { readRegularItself } from '../../../core/regular-files.ts';
import { ifThere, isThere, namesIn } from './vanishing-files.ts';

const NOTE = '.note';
/** No home writes a longer note; but whoever shares the peer may have put anything there. */
const MOST_BYTES = 4 * 1024 * 1024;

/** Writes the note of a home if the home has marked shards there and the note is not there yet. @param path of the peer */
export async function writeHomeNote(path: string, homeId: string, text: string): Promise<void> {
  const file = join(path, 'owners', `${homeId}${NOTE}`);
  if (!(await isThere(join(path, 'owners', homeId)))) return;
  if ((await readNote(file)) === text) return;
  await writeDurably(file, text, 0o600);
}

/** The notes of all homes, by ID. @throws ShardctlError when one cannot be read because of the disk, or of the limits of this process */
export async function readHomeNotes(path: string): Promise<Map<string, string>> {
  const notes = new Map<string, string>();
  for (const name of await namesIn(join(path, 'owners'))) {
    if (!name.endsWith(NOTE)) continue;
    const text = await readNote(join(path, 'owners', name));
    if (text !== undefined) notes.set(name.slice(0, -NOTE.length), text);
  }
  return notes;
}

/** Undefined when it is not there any more, when it is no note, or when it is another user's, which only that user may read. */
async function readNote(file: string): Promise<string | undefined> {
  try {
    // Not what a symlink leads to, also one that is put there between the two calls: no home makes one, and it may lead to what is for this user alone.
    const found = await ifThere(lstat(file));
    if (found?.isFile() !== true || found.size > MOST_BYTES) return undefined;
    return (await ifThere(readRegularItself(file, MOST_BYTES)))?.toString();
  } catch (error) {
    if (isForbidden(errnoOf(error))) return undefined;
    throw ioError(error, 'reading the note of a home', file);
  }
}
