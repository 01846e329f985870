/**
 * Where a source is: each directory on the way to it, with the name that the way goes on with. The way goes through symlinks, in the middle
 * of the path and in what these lead to, as the kernel goes: whatever of it is moved, replaced or led elsewhere, the path then names another source.
 */
import { lstatSync, readlinkSync } from 'node:fs';
import type { ByteString } from '../core/model.ts';
import { fsPath } from '../core/path-bytes.ts';

export interface Place {
  readonly directory: ByteString;
  readonly name: ByteString;
}

/** As the kernel, see path_resolution(7). */
const MOST_LINKS = 40;

/** @param source absolute @returns as far as the way leads; more than once where it comes by the same name again */
export function placesOf(source: ByteString): Place[] {
  const places: Place[] = [];
  const left = source.split('/').reverse();
  let at: ByteString = '';
  for (let links = 0; left.length > 0; ) {
    const name = left.pop() as ByteString;
    if (name === '' || name === '.') continue;
    if (name === '..') {
      at = at.slice(0, Math.max(0, at.lastIndexOf('/')));
      continue;
    }
    places.push({ directory: at === '' ? '/' : at, name });
    const path = `${at}/${name}`;
    const target = linkAt(path);
    if (target === undefined) {
      at = path;
      continue;
    }
    if (++links > MOST_LINKS) break;
    if (target.startsWith('/')) at = '';
    left.push(...target.split('/').reverse());
  }
  return places;
}

/** Undefined where no symlink is. */
function linkAt(path: ByteString): ByteString | undefined {
  try {
    if (!lstatSync(fsPath(path)).isSymbolicLink()) return undefined;
    return readlinkSync(fsPath(path), 'latin1');
  } catch {
    // What is not there, or may not be looked at, is for whoever opens the source to say.
    return undefined;
  }
}
