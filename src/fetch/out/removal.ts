/**
 * Deletes trees in fetch's own directory: mirrors have directories that not even their owner may write to, or list; and a stranger's are deep.
 * What came from OUT may still be open to others, who could put a symlink in the place of a directory. So each is held open while what is in
 * it is deleted, and the directories in it are moved to the top first, which is held open all the time.
 */
import { randomUUID } from 'node:crypto';
import { chmodSync, readdirSync, renameSync, rmdirSync, statSync, unlinkSync } from 'node:fs';
import { errnoOf } from '../../core/errors.ts';
import type { ByteString } from '../../core/model.ts';
import { fsPath } from '../../core/path-bytes.ts';
import { type HeldDirectory, hold } from '../../restore/held-directories.ts';
import { isNoDirectory, OWNER_MAY_ALL } from './places.ts';

/**
 * Whatever is there, and nothing is fine, too. Follows no symlink. Node's own removal calls itself for each level, and ends at some thousand.
 * @throws Error with the first errno of what cannot be deleted (a mount point, an immutable file); everything else is gone then
 */
export function removeTree(path: ByteString): void {
  const top = holdIfDirectory(path);
  if (top === undefined) {
    removeFile(path);
    return;
  }
  const failures: unknown[] = [];
  const attempt = (work: () => void) => {
    try {
      work();
    } catch (error) {
      failures.push(error);
    }
  };
  try {
    const left = empty(top, top, attempt);
    for (let name = left.pop(); name !== undefined; name = left.pop()) {
      const at = `${top.inside}/${name}`;
      attempt(() => {
        const directory = holdIfDirectory(at);
        if (directory === undefined) removeFile(at);
        else {
          try {
            left.push(...empty(directory, top, attempt));
          } finally {
            directory.close();
          }
          rmdirSync(fsPath(at));
        }
      });
    }
  } finally {
    top.close();
  }
  if (failures.length > 0) throw failures[0];
  rmdirSync(fsPath(path));
}

/** Deletes the files in a directory, and moves the directories to the top. @returns what these are called there */
function empty(directory: HeldDirectory, top: HeldDirectory, attempt: (work: () => void) => void): ByteString[] {
  const { inside, itself } = directory;
  if ((statSync(fsPath(itself)).mode & OWNER_MAY_ALL) !== OWNER_MAY_ALL) chmodSync(fsPath(itself), OWNER_MAY_ALL);
  const moved: ByteString[] = [];
  for (const entry of readdirSync(fsPath(inside), { encoding: 'latin1', withFileTypes: true })) {
    const at = `${inside}/${entry.name}`;
    attempt(() => {
      if (!entry.isDirectory()) removeFile(at);
      else if (directory === top) moved.push(entry.name);
      else {
        const name = `removed-${randomUUID()}`;
        moveOut(at, `${top.inside}/${name}`);
        moved.push(name);
      }
    });
  }
  return moved;
}

/** Node's rmSync tries rmdir(2) when it may not delete a file, and then says that it is no directory. */
function removeFile(path: ByteString): void {
  try {
    unlinkSync(fsPath(path));
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT') throw error;
  }
}

/** A directory must be writable itself to be moved, because its `..` changes. */
function moveOut(from: ByteString, to: ByteString): void {
  try {
    renameSync(fsPath(from), fsPath(to));
  } catch (error) {
    if (errnoOf(error) !== 'EACCES') throw error;
    const directory = hold(from);
    chmodSync(fsPath(directory.itself), OWNER_MAY_ALL);
    directory.close();
    renameSync(fsPath(from), fsPath(to));
  }
}

function holdIfDirectory(at: ByteString): HeldDirectory | undefined {
  try {
    return hold(at);
  } catch (error) {
    if (isNoDirectory(error)) return undefined;
    throw error;
  }
}
