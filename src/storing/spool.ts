/** The spool: the directory in which shards are packed, and wait until their peers have them. */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { makeDirectories, removeUnlessBusy } from '../core/durable-files.ts';

/** Shards are called by their numbers; whatever else lies there is not ours. */
const OURS = /^\d+\.car$/;

/** Removes the shards that a run which died has left in the spool: they were never recorded. */
export function emptySpool(spool: string): void {
  makeDirectories(spool);
  for (const name of readdirSync(spool)) if (OURS.test(name)) removeUnlessBusy(join(spool, name));
}
