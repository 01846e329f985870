/**
 * What homes note down about themselves on a local peer, beside their marks: `owners/<home>.note`, for the day when a home is lost.
 * Readable by its owner alone: a note says where a mirror's files lie, and which of them are not for everybody.
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { writeDurably } from '../../../core/durable-files.ts';
import { ifThere, isThere, namesIn } from './vanishing-files.ts';

const NOTE = '.note';
/** Nobody's note is longer; whoever shares the peer may have written anything. */
const MOST_BYTES = 4 * 1024 * 1024;

/** Writes the note of a home that has marked shards there, unless it says so already. @param path of the peer */
export async function writeHomeNote(path: string, homeId: string, text: string): Promise<void> {
  const file = join(path, 'owners', `${homeId}${NOTE}`);
  if (!(await isThere(join(path, 'owners', homeId)))) return;
  if ((await ifThere(readFile(file, 'utf8'))) === text) return;
  await writeDurably(file, text, 0o600);
}

/** The notes of all homes, by ID. */
export async function readHomeNotes(path: string): Promise<Map<string, string>> {
  const notes = new Map<string, string>();
  for (const name of await namesIn(join(path, 'owners'))) {
    if (!name.endsWith(NOTE)) continue;
    // Another user's, which only he may read, says nothing.
    const text = await readFile(join(path, 'owners', name)).catch(() => undefined);
    if (text !== undefined && text.length <= MOST_BYTES) notes.set(name.slice(0, -NOTE.length), text.toString());
  }
  return notes;
}
