/** The spool: where shards are packed, and wait for their peers. */
import { mkdirSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';

/** Makes the spool ready for a run: what a dead one left there was never recorded. */
export function emptySpool(spool: string): void {
  mkdirSync(spool, { recursive: true });
  for (const name of readdirSync(spool)) rmSync(join(spool, name), { force: true });
}
