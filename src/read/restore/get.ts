/** `get`: restores a tree of a snapshot, or one entry of it, to disk. */

import { dirname } from 'node:path';
import { displayPath } from '../../core/display.ts';
import { makeDirectories } from '../../core/durable-files.ts';
import { isNoSpace, isPlaceFailing } from '../../core/errno.ts';
import { type ErrorCode, errnoOf, messageOf, ShardctlError } from '../../core/errors.ts';
import { Turns } from '../../core/event-loop.ts';
import type { Emit } from '../../core/events.ts';
import { loadLibc } from '../../core/libc.ts';
import { type BlockId, type ByteString, DIRECTORY, type EntryKind, FILE } from '../../core/model.ts';
import { joinBytes, toBytes } from '../../core/path-bytes.ts';
import { formatCount } from '../../home/sizes.ts';
import type { Blocks } from '../blocks/block-source.ts';
import { ExpansionGuard } from '../tree/expansion-guard.ts';
import { dataOf } from '../tree/file-data.ts';
import { BoundlessTree, Repetition } from '../tree/repetition.ts';
import { linksOf, readEntry, resolve, type TreeEntry, type TreeLink } from '../tree/tree.ts';
import { Destination } from './destination.ts';
import { type RestoreProblems, RestoreReport } from './restore-report.ts';

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
 * Holds one leaf, and the names of the directories on the way to it. An entry that cannot be read, or cannot be
 * made there, is named, and everything else is restored.
 * @throws ShardctlError `USAGE` when `out` is taken, `NO_SPACE` or `IO` when the place fails, `DAMAGE` or `TOO_FEW_PEERS` when
 * nothing can be restored; `BoundlessTree`. What was restored until then stays
 */
export async function get(options: GetOptions): Promise<GetSummary> {
  const { root, path, out, blocks, emit, signal, overwrite = false, specialBits = false, isOwn = false } = options;
  const destination = new Destination({ libc: await loadLibc(), overwrite, specialBits, emit });
  const counts = { files: 0, directories: 0, symlinks: 0, bytes: 0 };
  const top = toBytes(out);
  const report = new RestoreReport(emit, () => destination.isStillThere());
  const turns = new Turns(signal);
  const repetition = isOwn ? undefined : new Repetition();
  let entries = 0;
  let current = top;

  const entry = await resolve(root, path, blocks);
  const guard = new ExpansionGuard(entry, { blocks, signal });
  try {
    if (!overwrite && destination.isTaken(top, entry.kind === DIRECTORY)) throw taken(out);
    makeDirectories(dirname(out));
    await restore(top, entry, true);
    tell();
  } catch (error) {
    throw signal.aborted ? error : failure(error, current, out, entry.kind);
  }
  if (destination.withheld > 0) emit({ type: 'warning', message: withheldText(destination.withheld) });
  return { ...counts, problems: report.counts, failure: report.failure(out) };

  async function restore(at: ByteString, entry: TreeEntry, isRoot: boolean): Promise<void> {
    current = at;
    await turn();
    if (entry.kind === FILE) await restoreFile(at, entry);
    else if (entry.kind === DIRECTORY) await restoreDirectory(at, entry, isRoot);
    else {
      destination.createSymlink(at, entry.target ?? new Uint8Array(0), entry);
      counts.symlinks++;
    }
    entries++;
  }

  async function restoreDirectory(at: ByteString, entry: TreeEntry, isRoot: boolean): Promise<void> {
    await guard.enter(entry, at);
    destination.enterDirectory(at, entry, isRoot);
    const links = await attempt(at, () => linksOf(entry, blocks, (error) => note(at, error)));
    for (const link of links ?? []) await restoreBelow(joinBytes(at, link.name), link);
    current = at;
    destination.leaveDirectory(at, entry);
    counts.directories++;
  }

  async function restoreBelow(at: ByteString, link: TreeLink): Promise<void> {
    await attempt(at, async () => restore(at, await readEntry(link, blocks), false));
  }

  async function restoreFile(at: ByteString, entry: TreeEntry): Promise<void> {
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

  /** The total is 0: how many entries there are is known only at the end. */
  function tell(): void {
    emit({ type: 'progress', label: 'get', done: entries, total: 0, bytes: counts.bytes });
  }
}

function withheldText(entries: number): string {
  const some = entries === 1 ? '1 entry has' : `${formatCount(entries)} entries have`;
  return `${some} setuid, setgid or sticky bits, which were left out, as the tree is not known to be this home's own: --special-bits restores them`;
}

function taken(out: string): ShardctlError {
  return new ShardctlError('USAGE', `"${displayPath(toBytes(out))}" is there already, and it is not an empty directory`, {
    hint: 'give another OUT, or --overwrite to replace the files in it',
  });
}

function failure(error: unknown, at: ByteString, out: string, kind: EntryKind): unknown {
  if (error instanceof BoundlessTree || (error instanceof ShardctlError && error.code === 'USAGE')) return error;
  const errno = errnoOf(error);
  if (!(error instanceof ShardctlError) && errno === undefined) return error;
  const code = error instanceof ShardctlError ? error.code : codeOf(errno, kind);
  return new ShardctlError(code, `restoring "${displayPath(at)}" failed: ${messageOf(error)}`, {
    hint: `what was restored so far is in ${out}; run the command again with --overwrite to finish it`,
    cause: error,
  });
}

function codeOf(errno: string | undefined, kind: EntryKind): ErrorCode {
  if (isNoSpace(errno)) return 'NO_SPACE';
  // When not even the top directory can be made, the place fails; when a single file or symlink is refused, only that entry does.
  return kind === DIRECTORY || isPlaceFailing(errno) ? 'IO' : 'NOT_WRITTEN';
}
