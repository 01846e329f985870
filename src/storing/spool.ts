/** The spool: the directory in which shards are packed, and wait until their peers have them. */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { makeDirectories, removeUnlessBusy } from '../core/durable-files.ts';
import { errnoOf } from '../core/errors.ts';
import { removeTreeSync } from '../core/remove-file.ts';

/** Shards are called by their numbers; whatever else lies there is not ours. */
const OURS = /^\d+\.car$/;
/** The spool of a run that began beside another one, called as its lock file. */
const RUN = /^\d+-[0-9a-f]+$/;

/** Makes the directory, and removes the shards that runs which died have left there: they were never recorded. Nobody else may be writing. */
export function emptySpool(spool: string): void {
  makeDirectories(spool);
  sweepSpool(spool);
}

/** As `emptySpool`, where there may be none. */
export function sweepSpool(spool: string): void {
  removeShards(spool);
  for (const name of namesIn(spool)) if (RUN.test(name)) removeSpool(join(spool, name));
}

/** As `emptySpool`, of the spool of one run, in which there may be those of runs beside it. */
export function emptyOwnSpool(spool: string): void {
  makeDirectories(spool);
  removeShards(spool);
}

function removeShards(spool: string): void {
  for (const name of namesIn(spool)) if (OURS.test(name)) removeUnlessBusy(join(spool, name));
}

/** Removes the directory of one run; what a file system keeps of it goes with the next sweep. */
export function removeSpool(spool: string): void {
  try {
    removeTreeSync(spool);
  } catch (error) {
    if (errnoOf(error) === undefined) throw error;
  }
}

function namesIn(spool: string): string[] {
  try {
    return readdirSync(spool);
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return [];
    throw error;
  }
}
