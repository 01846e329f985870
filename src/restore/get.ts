/** `get`: restores a tree of a snapshot, or one entry of it, to disk. */

import { dirname } from 'node:path';
import { displayPath } from '../core/display.ts';
import { makeDirectories } from '../core/durable-files.ts';
import { isNoSpace, isPlaceFailing } from '../core/errno.ts';
import { type ErrorCode, errnoOf, messageOf, ShardctlError } from '../core/errors.ts';
import { Turns } from '../core/event-loop.ts';
import type { Emit } from '../core/events.ts';
import { FetchDirectoryLeftOut } from '../core/fetch-directory.ts';
import { loadLibc } from '../core/libc.ts';
import { type BlockId, type ByteString, DIRECTORY, type EntryKind, FILE, type Metadata } from '../core/model.ts';
import { joinBytes, partsOf, toBytes } from '../core/path-bytes.ts';
import { type DagNode, hamtEntryName } from '../dag/node-reader.ts';
import { formatCount } from '../home/sizes.ts';
import type { Blocks } from '../read/blocks/block-source.ts';
import { ExpansionGuard } from '../read/tree/expansion-guard.ts';
import { dataOf } from '../read/tree/file-data.ts';
import { BoundlessTree, Repetition } from '../read/tree/repetition.ts';
import { linksOf, readEntry, resolve, type TreeEntry, type TreeLink } from '../read/tree/tree.ts';
import { BlocksAhead } from './blocks-ahead.ts';
import { Destination, isTaken, refuseSpecial } from './destination.ts';
import { type RestoreProblems, RestoreReport } from './restore-report.ts';
import type { ShardAccess } from './shard-tables.ts';
import { metadataOf, StreamedFiles } from './streamed-files.ts';

export interface GetOptions {
  readonly root: BlockId;
  /** Inside the tree; empty for the tree itself. */
  readonly path: ByteString;
  /** The path that the restored entry gets: a file becomes this file, a directory this directory. */
  readonly out: string;
  readonly blocks: Blocks;
  readonly emit: Emit;
  readonly signal: AbortSignal;
  /** Replace files and symlinks that are there already. Those that are not in the tree stay. */
  readonly overwrite?: boolean;
  /** Set setuid, setgid and sticky bits too, because the tree is this home's own or the user asked for it. [false] */
  readonly specialBits?: boolean;
  /** This home made the tree from a source of its own, so its files may repeat themselves as often as they like. [false] */
  readonly isOwn?: boolean;
  /** How the tree's shards can be read as streams. Without it, everything is read block by block. */
  readonly shards?: ShardAccess | undefined;
  /**
   * Asked for each directory, by its path from the directory that is restored, before anything of its entries is read. What is not among
   * those that it returns is left out, with everything below it. `failed` is told of an entry for which it cannot say.
   */
  readonly mustCome?:
    | ((
        directory: ByteString,
        links: readonly TreeLink[],
        failed: (link: TreeLink, error: unknown) => void,
      ) => Promise<readonly TreeLink[]>)
    | undefined;
  /** Walk the tree, and make nothing: `mustCome` lets only directories pass. [false] */
  readonly dryRun?: boolean;
  /** What the progress is called. [get] */
  readonly label?: string;
  /** What the whole tree has, by the record of its snapshot, for the progress of who restores all of it. */
  readonly totals?: { readonly entries: number; readonly bytes: number } | undefined;
}

export interface GetSummary {
  readonly files: number;
  readonly directories: number;
  readonly symlinks: number;
  readonly bytes: number;
  /** How many entries, by kind of problem, were not restored, or not with everything below them. */
  readonly problems: RestoreProblems;
  /** The error with which the command ends when there are problems. */
  readonly failure: ShardctlError | undefined;
}

/**
 * Walks the directories and makes them, notes the files, writes these as their shards stream by, and sets modes and times of directories
 * last. What is in no stream is read block by block. Holds the directories of the tree, by path, and a few portions of its files. An entry that cannot be read, or cannot be
 * made there, is named, and everything else is restored.
 * @throws ShardctlError `USAGE` when `out` is taken, `NO_SPACE` or `IO` when the place fails, `DAMAGE` or `TOO_FEW_PEERS` when
 * nothing can be restored; `BoundlessTree`. What was restored until then stays
 */
export async function get(options: GetOptions): Promise<GetSummary> {
  const { root, path, out, blocks, emit, signal, overwrite = false, specialBits = false, isOwn = false, shards, mustCome } = options;
  const libc = await loadLibc();
  const warn = (message: string) => emit({ type: 'warning', message });
  const destination = new Destination({ libc, overwrite, specialBits, warn });
  const leftOut = new FetchDirectoryLeftOut(warn);
  const counts = { files: 0, directories: 0, symlinks: 0, bytes: 0 };
  const top = toBytes(out);
  const report = new RestoreReport(emit, () => destination.into.isStillThere);
  const turns = new Turns(signal);
  const repetition = isOwn ? undefined : new Repetition();
  // With streams, few blocks are read by themselves. Without, the blocks beside one are those that are read next.
  const ahead = shards === undefined ? undefined : new BlocksAhead(blocks);
  const walked = ahead ?? blocks;
  const streamed = shards === undefined ? undefined : streamedFiles(shards);
  /** Directories that are entered, in the order of the walk: each comes before what is below it. */
  const entered: { readonly at: ByteString; readonly metadata: Metadata }[] = [];
  let entries = 0;
  let current = top;

  const entry = await resolve(root, path, blocks);
  const guard = new ExpansionGuard(entry, { blocks, signal });
  try {
    refuseSpecial(out);
    if (!overwrite) refuseTaken(out, path, entry.kind);
    if (options.dryRun !== true) makeDirectories(dirname(out));
    await restore(top, entry, true);
    await streamed?.finish();
    leaveDirectories();
    tell();
  } catch (error) {
    throw signal.aborted ? error : failure(error, current, out, entry.kind, entered.length + entries > 0);
  } finally {
    await streamed?.close();
    destination.into.close();
  }
  if (destination.metadata.withheld > 0) warn(withheldText(destination.metadata.withheld));
  return { ...counts, problems: report.counts, failure: report.failure(out) };

  async function restore(at: ByteString, entry: TreeEntry, isRoot: boolean): Promise<void> {
    current = at;
    await turn();
    if (entry.kind === FILE) return await restoreFile(at, entry);
    if (entry.kind === DIRECTORY) await restoreDirectory(at, entry, isRoot);
    else {
      destination.createSymlink(at, entry.target ?? new Uint8Array(0), entry);
      counts.symlinks++;
    }
    entries++;
  }

  async function restoreDirectory(at: ByteString, entry: TreeEntry, isRoot: boolean): Promise<void> {
    await guard.enter(entry, at);
    if (options.dryRun !== true) destination.enterDirectory(at, entry, isRoot);
    if (options.dryRun !== true) entered.push({ at, metadata: metadataOf(entry) });
    if ('links' in entry.content && entry.content.type === 'hamt') ahead?.expect(hamtNodes(entry.content));
    const links = (await attempt(at, () => linksOf(entry, walked, (error) => note(at, error)))) ?? [];
    const others: TreeLink[] = [];
    for (const link of (await attempt(at, () => comingOf(at, links))) ?? []) {
      const below = joinBytes(at, link.name);
      if ((await attempt(below, async () => streamed?.add(at, link))) !== true) others.push(link);
    }
    ahead?.expect(others.map(({ digest }) => digest));
    for (const link of others) await restoreBelow(joinBytes(at, link.name), link);
  }

  async function comingOf(at: ByteString, all: readonly TreeLink[]): Promise<readonly TreeLink[]> {
    const links = all.some(({ name }) => leftOut.has(name)) ? all.filter(({ name }) => !leftOut.has(name)) : all;
    if (mustCome === undefined) return links;
    return await mustCome(at.slice(top.length + 1), links, (link, error) => note(joinBytes(at, link.name), error));
  }

  async function restoreBelow(at: ByteString, id: BlockId): Promise<void> {
    await attempt(at, async () => restore(at, await readEntry(id, walked), false));
  }

  async function restoreFile(at: ByteString, entry: TreeEntry): Promise<void> {
    const { above, name } = partsOf(at);
    if (streamed !== undefined && (await streamed.addFile(above, name, entry))) return;
    const file = destination.createFile(at, entry);
    try {
      for await (const bytes of dataOf(entry, blocks, repetition)) {
        destination.write(file, bytes);
        counts.bytes += bytes.length;
        await turn();
      }
      destination.finishFile(file, entry);
    } catch (error) {
      destination.dropFile(file);
      throw error;
    }
    counts.files++;
    entries++;
  }

  function streamedFiles(shards: ShardAccess): StreamedFiles {
    return new StreamedFiles({
      ...{ shards, blocks: walked, destination, libc, overwrite, specialBits, repetition, signal },
      expected: options.totals,
      events: {
        done(files, symlinks, bytes) {
          counts.files += files;
          counts.symlinks += symlinks;
          counts.bytes += bytes;
          entries += files + symlinks;
          tell();
        },
        failed(at, error) {
          current = at;
          note(at, error);
        },
        late: restoreBelow,
        trouble: (trouble) => emit({ type: 'warning', ...trouble }),
      },
    });
  }

  function leaveDirectories(): void {
    for (const { at, metadata } of entered.reverse()) {
      current = at;
      try {
        destination.leaveDirectory(at, metadata);
        counts.directories++;
      } catch (error) {
        if (at === top) throw error;
        note(at, error);
      }
    }
  }

  async function attempt<T>(at: ByteString, work: () => Promise<T>): Promise<T | undefined> {
    try {
      return await work();
    } catch (error) {
      note(at, error);
      return undefined;
    }
  }

  /** @throws the error itself when the run cannot go on */
  function note(at: ByteString, error: unknown): void {
    if (signal.aborted || error instanceof BoundlessTree) throw error;
    report.note(at, error);
  }

  /** Lets other tasks run now and then, so that a signal is heard, and reports progress. */
  async function turn(): Promise<void> {
    if (!turns.isDue) return;
    tell();
    await turns.give();
  }

  /** The totals are 0 where nobody knows them before the end. */
  function tell(): void {
    const { entries: total, bytes: totalBytes } = options.totals ?? { entries: 0, bytes: 0 };
    emit({ type: 'progress', label: options.label ?? 'get', done: entries, total, bytes: counts.bytes, totalBytes });
  }
}

/** The nodes below a node of a HAMT directory: their links have names that are only the number of a slot. */
function hamtNodes({ links, fanout = 256 }: DagNode): readonly Uint8Array[] {
  return links.filter(({ name }) => hamtEntryName(name, fanout) === undefined).map(({ digest }) => digest);
}

function withheldText(entries: number): string {
  const some = entries === 1 ? '1 entry has' : `${formatCount(entries)} entries have`;
  return `${some} setuid, setgid or sticky bits, which were left out, as the tree is not known to be this home's own: --special-bits restores them`;
}

/** @param out where an entry of this kind is to be restored @param path of the entry in its tree @throws ShardctlError `USAGE` when something is there */
export function refuseTaken(out: string, path: ByteString, kind: EntryKind): void {
  if (!isTaken(toBytes(out), kind === DIRECTORY)) return;
  throw new ShardctlError('USAGE', `"${displayPath(toBytes(out))}" is there already, and it is not an empty directory`, {
    hint: `give another OUT, ${path === '' ? '' : 'end it in a slash to put this into it by its name, '}or --overwrite to replace the files in it`,
  });
}

function failure(error: unknown, at: ByteString, out: string, kind: EntryKind, isBegun: boolean): unknown {
  if (error instanceof BoundlessTree || (error instanceof ShardctlError && error.code === 'USAGE')) return error;
  const errno = errnoOf(error);
  if (!(error instanceof ShardctlError) && errno === undefined) return error;
  const code = error instanceof ShardctlError ? error.code : codeOf(errno, kind);
  return new ShardctlError(code, `restoring "${displayPath(at)}" failed: ${messageOf(error)}`, {
    hint: isBegun
      ? `what was restored so far is in ${out}; run the command again with --overwrite to finish it`
      : 'give another OUT, or see to the one that was given',
    cause: error,
  });
}

function codeOf(errno: string | undefined, kind: EntryKind): ErrorCode {
  if (isNoSpace(errno)) return 'NO_SPACE';
  // When not even the top directory can be made, the place fails; when a single file or symlink is refused, only that entry does.
  return kind === DIRECTORY || isPlaceFailing(errno) ? 'IO' : 'NOT_WRITTEN';
}
