/** The spool: where shards are packed, and wait for their peers. */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { makeDirectories, removeUnlessBusy } from '../core/durable-files.ts';

/** Shards by their numbers; whatever else is there is not ours. */
const OURS = /^\d+\.car$/;

/** Makes the spool ready for a run: what a dead one left there was never recorded. */
export function emptySpool(spool: string): void {
  makeDirectories(spool);
  for (const name of readdirSync(spool)) if (OURS.test(name)) removeUnlessBusy(join(spool, name));
}
