/**
 * What a directory holds, row by row, as a listing shows it. Rows come in the order of the bytes of the names; the entries' own blocks are
 * read a few ahead, so a directory of 100,000 entries is listed in the memory that its links take.
 */

import { setImmediate as immediate } from 'node:timers/promises';
import { ShardctlError } from '../../core/errors.ts';
import { type ByteString, DIRECTORY, type EntryKind, FILE, RAW, SYMLINK } from '../../core/model.ts';
import { joinBytes } from '../../core/path-bytes.ts';
import { linksOf, NotInTree, readEntry, type TreeLink } from '../../read/tree/tree.ts';
import type { FoundEntry } from '../../read/tree/tree-paths.ts';
import type { TreeToRead } from './resource.ts';

export type ListingForm = 'html' | 'json';

export interface Row {
  readonly name: ByteString;
  readonly id: TreeLink;
  readonly kind: EntryKind;
  /** Bytes of a file, or of the file to which a symlink leads; undefined for directories. */
  readonly size: number | undefined;
  readonly mtimeNs: bigint | undefined;
  /** Of a symlink. */
  readonly target: ByteString | undefined;
  /** What the address of the entry answers: a symlink is what it leads to. Undefined: nothing, or what would be listed without an end. */
  readonly leadsTo: typeof FILE | typeof DIRECTORY | undefined;
  /** Its block cannot be had: nothing is known but the name. */
  readonly isUnreadable?: boolean;
}

/** Entries whose blocks are read at the same time. */
const AHEAD = 16;

/** Links that all listings under way may hold; each takes some 300 bytes. */
export const MOST_LISTED = 250_000;

/** Too many large directories are being listed. */
export class TooMuchListed extends Error {
  /** Seconds. */
  readonly retryAfter = 5;
}

/** Whoever asked for the listing has gone. */
export class ReaderLeft extends Error {}

/** All listings together work for so long, in milliseconds, before everybody else gets a turn. */
const TURN_MS = 4;

/** What the listings of all requests may take, of memory and of the only thread. */
export class ListingBudget {
  #held = 0;
  #dueAt = 0;

  /** To be awaited in each step: what a listing reads is mostly there already, and awaiting that lets nobody else run. */
  async turn(): Promise<void> {
    if (performance.now() < this.#dueAt) return;
    await immediate();
    this.#dueAt = performance.now() + TURN_MS;
  }

  /** @throws TooMuchListed */
  take(links: number): void {
    if (this.#held > 0 && this.#held + links > MOST_LISTED) throw new TooMuchListed('too many large directories are being listed');
    this.#held += links;
  }

  giveBack(links: number): void {
    this.#held -= links;
  }
}

/**
 * The first row is waited for by `next`, so that a directory that cannot be read fails before anything is sent.
 * @param isWanted whether the reader is still there @throws ReaderLeft, TooMuchListed, ShardctlError
 */
export async function* rowsOf(
  { root, paths, committed, blocks }: TreeToRead,
  directory: FoundEntry,
  budget: ListingBudget,
  isWanted: () => boolean,
): AsyncGenerator<Row, void, void> {
  const read = async (digest: Uint8Array) => {
    await budget.turn();
    if (!isWanted()) throw new ReaderLeft();
    return await blocks.read(digest);
  };
  const tree: TreeToRead = { root, paths, committed, blocks: { read, sizeOf: (digest) => blocks.sizeOf(digest) } };
  const links = await linksOf(await readEntry(directory, tree.blocks), tree.blocks);
  budget.take(links.length);
  const ahead: Promise<Row>[] = [];
  try {
    for (const [at, link] of links.entries()) {
      const row = rowOf(tree, directory, link);
      // Its error is for whoever awaits it.
      row.catch(() => {});
      ahead.push(row);
      if (ahead.length < AHEAD && at < links.length - 1) continue;
      const next = ahead.shift();
      if (next !== undefined) yield await next;
    }
    for (const row of ahead) yield await row;
  } finally {
    // Whoever ends the listing gives the view back then: nothing may be read through it any more.
    await Promise.allSettled(ahead);
    budget.giveBack(links.length);
  }
}

async function rowOf(tree: TreeToRead, directory: FoundEntry, link: TreeLink): Promise<Row> {
  const common = { name: link.name, id: link };
  // A raw leaf is a file without metadata, and its link says its size.
  if (link.codec === RAW) return { ...common, kind: FILE, size: link.dagSize, mtimeNs: undefined, target: undefined, leadsTo: FILE };
  try {
    const { kind, size, mtimeNs, target } = await readEntry(link, tree.blocks);
    if (kind === FILE) return { ...common, kind, size, mtimeNs, target: undefined, leadsTo: FILE };
    if (kind === DIRECTORY) return { ...common, kind, size: undefined, mtimeNs, target: undefined, leadsTo: DIRECTORY };
    const text = Buffer.from(target ?? []).toString('latin1');
    return { ...common, kind, mtimeNs, target: text, ...(await behind(tree, directory.path, link.name)) };
  } catch (error) {
    if (!(error instanceof ShardctlError)) throw error;
    return { ...common, kind: FILE, size: undefined, mtimeNs: undefined, target: undefined, leadsTo: undefined, isUnreadable: true };
  }
}

/**
 * What a symlink leads to. A directory in which the symlink itself lies (`ubuntu -> .`, as mirrors have it) is none: whoever reads
 * listings one below the other would not come to an end.
 */
async function behind(tree: TreeToRead, above: ByteString, name: ByteString): Promise<Pick<Row, 'size' | 'leadsTo'>> {
  try {
    const { kind, node, digest, path } = await tree.paths.find(tree.root, joinBytes(above, name), tree.blocks);
    if (kind === FILE) return { leadsTo: FILE, size: node?.fileBytes ?? (await tree.blocks.sizeOf(digest)) };
    const isAround = path === '' || above === path || above.startsWith(`${path}/`);
    return { leadsTo: kind === SYMLINK || isAround ? undefined : DIRECTORY, size: undefined };
  } catch (error) {
    if (!(error instanceof NotInTree)) throw error;
    return { leadsTo: undefined, size: undefined };
  }
}
