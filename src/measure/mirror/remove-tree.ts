/** Removes what a bench has made. */
import { spawnSync } from 'node:child_process';
import { rmSync } from 'node:fs';
import { errnoOf } from '../../core/errors.ts';

/** A copy of a directory that nobody may write to has that mode, too: only root removes what is in it. */
export function removeTree(dir: string): void {
  try {
    rmSync(dir, { recursive: true, force: true });
  } catch (error) {
    if (errnoOf(error) !== 'EACCES') throw error;
    spawnSync('chmod', ['-R', 'u+rwX', dir]);
    rmSync(dir, { recursive: true, force: true });
  }
}
