/** A page of a listing: as many entries as the kernel has room for, with their attributes when it asks for them. */
import { type BlockId, DIRECTORY } from '../core/model.ts';
import { type Dirent, direntBytes, ENTRY_BYTES, type FileOwner, putDirent, putEntry } from './protocol/replies.ts';
import type { EntryFacts, Inode } from './tree/inodes.ts';
import type { Listing } from './tree/listings.ts';
import type { MountedTree } from './tree/mounted-tree.ts';

/** `.` and `..` come before the entries. */
export const DOTS = 2;
const MOST_PAGE_BYTES = 128 * 1024;
/** How long the kernel may go by what it was told, in seconds: what changes is made known to it. */
export const FOR_LONG = 365 * 24 * 3600;

export interface ListedDirectory {
  readonly tree: MountedTree;
  readonly directory: Inode;
  /** Its content when the listing began. */
  readonly content: BlockId;
  readonly listing: Listing;
  readonly owner: FileOwner;
}

export interface PageRequest {
  readonly kind: 'readdir' | 'readdirplus';
  /** Entries that the kernel has had. */
  readonly offset: number;
  /** Bytes that it has room for. */
  readonly size: number;
}

export interface Page {
  readonly length: number;
  /** The page, to be written at once: entries that were not known get their numbers. */
  readonly bytes: () => Buffer;
  /** Those that are handed out by it. */
  readonly inodes: readonly Inode[];
}

export async function pageOf(listed: ListedDirectory, { kind, offset, size }: PageRequest): Promise<Page> {
  const { tree, listing } = listed;
  const isPlus = kind === 'readdirplus';
  const room = Math.min(size, MOST_PAGE_BYTES);
  let length = 0;
  let to = offset;
  for (; to < listing.length + DOTS; to++) {
    const bytes = direntBytes(to < DOTS ? to + 1 : listing.nameBytesAt(to - DOTS), isPlus);
    if (length + bytes > room) break;
    length += bytes;
  }
  const from = Math.max(0, offset - DOTS);
  const facts = isPlus ? await tree.factsIn(listing, from, Math.max(0, to - DOTS)) : [];
  const inodes: Inode[] = [];
  return { length, inodes, bytes: () => write(listed, { offset, to, length, isPlus, facts, inodes }) };
}

interface Writing {
  readonly offset: number;
  readonly to: number;
  readonly length: number;
  readonly isPlus: boolean;
  /** Of the entries, without `.` and `..`. */
  readonly facts: readonly (EntryFacts | undefined)[];
  readonly inodes: Inode[];
}

function write(
  { tree, directory, content, listing, owner }: ListedDirectory,
  { offset, to, length, isPlus, facts, inodes }: Writing,
): Buffer {
  const into = Buffer.alloc(length);
  // Entries of a directory that has changed since cannot be handed out: its names lead elsewhere now.
  const isCurrent = directory.is(content);
  let at = 0;
  for (let next = offset; next < to; next++) {
    if (next < DOTS) {
      if (isPlus) at += ENTRY_BYTES;
      at = putDirent(into, at, dots(next === 0 ? directory : (directory.parent ?? directory), next));
      continue;
    }
    const name = listing.nameAt(next - DOTS);
    const found = facts[next - Math.max(DOTS, offset)];
    const inode = isCurrent && found !== undefined ? tree.inodes.childOf(directory, name, found) : undefined;
    if (isPlus) {
      // Without a node, the kernel takes the name alone, and asks for the rest when somebody wants it.
      if (inode !== undefined) {
        putEntry(into, at, inode.number, FOR_LONG, inode, owner);
        inodes.push(inode);
      }
      at += ENTRY_BYTES;
    }
    const [inoLow, inoHigh] = inode === undefined ? tree.inodes.inoOf(directory, name) : [inode.inoLow, inode.inoHigh];
    at = putDirent(into, at, { inoLow, inoHigh, next: next + 1, kind: found?.kind, name });
  }
  return into;
}

function dots({ inoLow, inoHigh }: Inode, at: number): Dirent {
  return { inoLow, inoHigh, next: at + 1, kind: DIRECTORY, name: at === 0 ? '.' : '..' };
}
