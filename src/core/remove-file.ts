/** Removing what is on disk. Every room does it by these, never by Node's `rm` itself. */
// biome-ignore lint/style/noRestrictedImports: this is where it is called
import { type PathLike, rmSync, unlinkSync } from 'node:fs';
import { unlink } from 'node:fs/promises';
import { errnoOf } from './errors.ts';

/**
 * Removes a file or a symlink, if it is there. Node's `rm` will not do, not even without `recursive`: it looks at the path first, and should
 * there be a directory by the time it acts, it removes that with all that is in it, and in Node 20 also what a symlink leads to. Whoever may
 * write beside the file could make it delete what he chooses. unlink(2) removes one name, and no directory.
 * @throws Error with an errno: the path is a directory, or the system refuses
 */
export function removeFileSync(path: PathLike): void {
  try {
    unlinkSync(path);
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT') throw error;
  }
}

/** As `removeFileSync`. */
export async function removeFile(path: PathLike): Promise<void> {
  try {
    await unlink(path);
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT') throw error;
  }
}

/** Removes a directory with all that is in it, if it is there. Only for places in which nobody else writes, for the reason above. */
export function removeTreeSync(path: PathLike): void {
  rmSync(path, { recursive: true, force: true });
}
