/** Removes what a bench has made. */
import { spawnSync } from 'node:child_process';
import { errnoOf } from '../../core/errors.ts';
import { removeTreeSync } from '../../core/remove-file.ts';

const TRIES = 60;
const BETWEEN_MS = 50;

/** A copy of a directory that nobody may write to has that mode, too: only root removes what is in it. */
export function removeTree(dir: string): void {
  try {
    removeWhileItGrows(dir);
  } catch (error) {
    if (errnoOf(error) !== 'EACCES') throw error;
    spawnSync('chmod', ['-R', 'u+rwX', dir]);
    removeWhileItGrows(dir);
  }
}

/**
 * A program that was killed finishes the call that it is in, and so may make a file in a directory that has just been emptied. `maxRetries`
 * of Node's rmSync would remove the directory again, and not that file.
 */
function removeWhileItGrows(dir: string): void {
  for (let tries = 1; ; tries++) {
    try {
      removeTreeSync(dir);
      return;
    } catch (error) {
      if (errnoOf(error) !== 'ENOTEMPTY' || tries === TRIES) throw error;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, BETWEEN_MS);
    }
  }
}
