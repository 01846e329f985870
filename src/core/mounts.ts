/** What Linux lists of the mounts that this process sees (proc_pid_mountinfo(5)); elsewhere the list is empty. */
import { readFileSync } from 'node:fs';
import type { ByteString } from './model.ts';

const LIST = '/proc/self/mountinfo';

export interface Mount {
  readonly id: string;
  /** Of the mount that it is on; of the first one, of no mount of the list, or its own. */
  readonly parent: string;
  /** Major and minor number of its file system, for example `0:52`. */
  readonly device: string;
  /** The directory of the file system that is shown. */
  readonly root: ByteString;
  /** Where. */
  readonly point: ByteString;
  /** Of the file system. */
  readonly type: string;
}

/** A directory or file by its file system and its path in that, which is the same wherever it is mounted. */
export interface Spot {
  readonly device: string;
  readonly path: ByteString;
}

/** Of two on one point the later one, which is seen, is mounted on the earlier one: that is its parent. @param list in bytes */
export function mountsIn(list: string): readonly Mount[] {
  return list.split('\n').flatMap((line) => {
    // Number, parent, device, root, where, options, some fields, "-", type, …
    const fields = line.split(' ');
    const [id, parent, device, root, point] = fields;
    if (id === undefined || parent === undefined || device === undefined || root === undefined || point === undefined) return [];
    return [{ id, parent, device, root: unescaped(root), point: unescaped(point), type: fields[fields.indexOf('-') + 1] ?? '' }];
  });
}

/** Those of now. */
export function mounts(): readonly Mount[] {
  try {
    return mountsIn(readFileSync(LIST, 'latin1'));
  } catch {
    return [];
  }
}

/** @param path absolute and without symlinks @returns undefined where there is no list */
export function spotOf(path: ByteString, all: readonly Mount[]): Spot | undefined {
  const ids = new Set(all.map(({ id }) => id));
  let at = all.findLast(({ id, parent, point }) => point === '/' && (parent === id || !ids.has(parent)));
  // As the kernel walks down: it crosses the first mount that it meets, and another one on top of that.
  for (let next = at; next !== undefined; next = nearestOn(next, path, all)) at = next;
  if (at === undefined) return undefined;
  return { device: at.device, path: joined(at.root, pathBelow(at.point, path) ?? '') };
}

function nearestOn({ id }: Mount, path: ByteString, all: readonly Mount[]): Mount | undefined {
  const onIt = all.filter((mount) => mount.parent === id && mount.id !== id && pathBelow(mount.point, path) !== undefined);
  return onIt.reduce<Mount | undefined>(
    (best, mount) => (best === undefined || mount.point.length < best.point.length ? mount : best),
    undefined,
  );
}

/** @returns empty for the directory itself; undefined for what is not below it */
export function pathBelow(directory: ByteString, path: ByteString): ByteString | undefined {
  if (path === directory) return '';
  const top = directory === '/' ? '/' : `${directory}/`;
  return path.startsWith(top) ? path.slice(top.length) : undefined;
}

function joined(directory: ByteString, path: ByteString): ByteString {
  return path === '' ? directory : `${directory === '/' ? '' : directory}/${path}`;
}

/** Blanks and backslashes are three octal digits there. */
function unescaped(text: string): ByteString {
  return text.replaceAll(/\\([0-7]{3})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 8)));
}
