/**
 * Changes in rsync's notation: `YXcstpoguax`, see "--itemize-changes" in rsync(1). Y is `>` for other content, `c` for what is
 * made, `.` for what has only other metadata; X the kind; then what differs: c content, s size, t mtime, p mode.
 *
 * Two letters mean more than in rsync. `c` without s and t: size and mtime are the same, ctime or inode made us look, and the
 * content was another one. `?` in its place: a dry run, which does not look.
 */
import { displayPath } from '../core/display.ts';
import type { Change, Emit } from '../core/events.ts';
import { type ByteString, DIRECTORY, type EntryKind, FILE, type Metadata } from '../core/model.ts';
import { hashesTo } from '../dag/cid.ts';
import {
  CHANGED,
  type Directory,
  DROPPED,
  KIND_DIFFERS,
  METADATA,
  MODE_DIFFERS,
  MTIME_DIFFERS,
  NEW,
  SIZE_DIFFERS,
} from '../walk/directory.ts';
import { reRoot } from './import/re-root.ts';

export const DELETED = '*deleting';

/** What differs between two versions of an entry. */
export interface Differences {
  /** `unknown` when it was not looked at. */
  readonly content: boolean | 'unknown';
  readonly size: boolean;
  readonly mtime: boolean;
  readonly mode: boolean;
}

export function newCode(kind: EntryKind): string {
  return `${kind === FILE ? '>' : 'c'}${letterOf(kind)}+++++++++`;
}

/** @param read whether the content has to be read, or fetched, anew */
export function changedCode(kind: EntryKind, { content, size, mtime, mode }: Differences, read: boolean): string {
  const update = !read ? '.' : kind === FILE ? '>' : 'c';
  const shown = content === 'unknown' ? '?' : content ? 'c' : '.';
  // rsync gives no size of directories and symlinks.
  const s = size && kind === FILE ? 's' : '.';
  return `${update}${letterOf(kind)}${shown}${s}${mtime ? 't' : '.'}${mode ? 'p' : '.'}.....`;
}

export function changeOf(itemize: string, path: ByteString, kind: EntryKind): Change {
  return {
    itemize,
    path: path === '' ? '.' : displayPath(path),
    kind: kind === FILE ? 'file' : kind === DIRECTORY ? 'directory' : 'symlink',
  };
}

interface RootStat {
  readonly rootMode: number;
  readonly rootMtime: bigint;
}

/** The change of the root, which is no entry of a directory. @param base the root as the parent has it */
export function rootChange(root: Required<Metadata>, base: RootStat | undefined, metadata: boolean): Change[] {
  if (base === undefined) return [changeOf(newCode(DIRECTORY), '', DIRECTORY)];
  const mode = root.mode !== base.rootMode;
  const mtime = BigInt.asIntN(64, root.mtimeNs) !== base.rootMtime;
  if (!metadata || !(mode || mtime)) return [];
  return [changeOf(changedCode(DIRECTORY, { content: false, size: false, mtime, mode }, false), '', DIRECTORY)];
}

export interface ItemizeOptions {
  /** Mode and mtime are part of the tree. */
  readonly metadata: boolean;
  /** Files were read: what still differs does so in its content. */
  readonly imported: boolean;
  /** Every file is read, whatever its stat data say. */
  readonly checksum: boolean;
  /** By position, whether the content of a file is another one; what is not in it is told by its stat data. */
  readonly contents?: ReadonlyMap<number, boolean> | undefined;
}

/** The changes among a directory's own entries; those of entries that are gone were told when they were missed. */
export function* changesOf(directory: Directory, options: ItemizeOptions): Generator<Change, void, void> {
  for (let i = 0; i < directory.count; i++) {
    const kind = directory.kinds[i] as EntryKind;
    const code = codeOf(directory, i, kind, options);
    if (code !== undefined) yield changeOf(code, directory.pathOf(i), kind);
  }
}

/** Where the parent's nodes are. */
type ParentNodes = Parameters<typeof reRoot>[0];

/** Tells of each change once the import has shown what it is. In, out: the import steps. */
export async function* itemized<Step extends { readonly kind: string }>(
  steps: AsyncIterable<Step | Filled>,
  options: Omit<ItemizeOptions, 'imported'> & { readonly parent: ParentNodes },
  emit: Emit,
): AsyncGenerator<Step | Filled, void, void> {
  for await (const step of steps) {
    if (isFilled(step)) {
      const { directory } = step;
      const contents = options.metadata ? await contentsOf(directory, options.parent) : undefined;
      for (const change of changesOf(directory, { ...options, imported: true, contents })) emit({ type: 'change', ...change });
    }
    yield step;
  }
}

/**
 * Whether the content of each file that was read again is another one, as far as its size does not tell: if not, its root node
 * is the parent's with other metadata. A file whose old node cannot be had is left out.
 */
async function contentsOf(directory: Directory, parent: ParentNodes): Promise<Map<number, boolean>> {
  const contents = new Map<number, boolean>();
  for (let i = 0; i < directory.count; i++) {
    const bits = directory.differences?.[i] ?? 0;
    const asks = directory.states[i] === CHANGED && directory.kinds[i] === FILE && (bits & (KIND_DIFFERS | SIZE_DIFFERS)) === 0;
    if (!asks || bits === 0) continue;
    const root = await reRoot(parent, directory, i, { mode: directory.modeOf(i), mtimeNs: directory.mtimeNs(i) });
    if (root !== undefined) contents.set(i, !hashesTo(root.block, directory.rootOf(i).digest));
  }
  return contents;
}

interface Filled {
  readonly kind: 'filled';
  readonly directory: Directory;
}

function isFilled(step: { readonly kind: string }): step is Filled {
  return step.kind === 'filled';
}

function codeOf({ states, differences, base }: Directory, i: number, kind: EntryKind, options: ItemizeOptions): string | undefined {
  const state = states[i];
  const bits = differences?.[i] ?? 0;
  if (state === NEW || (state === CHANGED && (bits & KIND_DIFFERS) !== 0)) return newCode(kind);
  // It vanished while it was imported.
  if (state === DROPPED && (base?.indexes[i] ?? -1) >= 0) return DELETED;
  if (state !== CHANGED && state !== METADATA) return undefined;
  if (!options.metadata && (kind === DIRECTORY || state === METADATA)) return undefined;
  const size = (bits & SIZE_DIFFERS) !== 0;
  const mtime = (bits & MTIME_DIFFERS) !== 0;
  const mode = (bits & MODE_DIFFERS) !== 0;
  if (kind === DIRECTORY) return changedCode(kind, { content: false, size, mtime, mode }, false);
  if (kind === FILE) {
    // With --checksum all are read: a dry run cannot tell which of them differ, and names none.
    if (bits === 0 && options.checksum && !options.imported) return undefined;
    const content = options.contents?.get(i) ?? (bits === 0 ? options.imported || 'unknown' : size || mtime);
    // Size or mtime stand for the content, as in rsync.
    return changedCode(kind, { content: size || mtime ? false : content, size, mtime, mode }, content !== false);
  }
  const content = size || (bits === 0 && (options.imported || 'unknown'));
  // A new mtime says that it was made anew; whether with another target is not known without the old one.
  return changedCode(kind, { content, size, mtime, mode }, true);
}

function letterOf(kind: EntryKind): string {
  return kind === FILE ? 'f' : kind === DIRECTORY ? 'd' : 'L';
}
